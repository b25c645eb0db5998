package dircache

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// An exchange is one request and its answer. It belongs to the goroutine of Serve.
//
//	head → body of an upload → reply → encoding → head and body of the answer
type exchange struct {
	s     *Server
	conn  net.Conn
	from  From
	began time.Time
	event Event
	taken int64 // from the budget of memory

	forwarded netip.Addr // what a proxy says to be the client's address
}

// A reply is an answer before it is encoded.
type reply struct {
	status int
	reason string
	notNew bool

	docs     [][]byte // the body; none makes a short answer
	ready    bool     // docs are encoded as encoding says
	encoding dirhttp.Encoding
	mime     string // text/plain if empty
	lifetime time.Duration
	vary     bool
	always   bool // even if we are busy

	outcome Outcome
}

func short(status int, reason string, o Outcome) reply {
	return reply{status: status, reason: reason, outcome: o}
}
func notFound() reply    { return short(dirhttp.StatusNotFound, "Not found", NotFound) }
func badRequest() reply  { return short(dirhttp.StatusBadRequest, "Bad request", Refused) }
func notModified() reply { return short(dirhttp.StatusNotModified, "Not modified", NotModified) }
func busy() reply {
	return short(dirhttp.StatusBusy, "Directory busy, try again later", Busy)
}

func (x *exchange) run(ctx context.Context) {
	head, rest, ok := x.readHead()
	if !ok {
		return // C tor closes, too
	}
	r, accept, ok := x.answer(ctx, head, rest)
	if !ok {
		return
	}
	if !r.always && r.status == dirhttp.StatusOK && len(r.docs) > 0 {
		defer x.s.answers.Add(-1)
		if x.s.answers.Add(1) > int64(x.s.cfg.MaxAnswers) || x.tooBusy(&r, accept) {
			r = busy()
		}
	}
	if len(r.docs) > 0 && !r.ready {
		x.encode(&r, accept)
	}
	x.write(&r)
}

// answer finds the reply to a request. It is not ok if the connection is to be closed without one.
func (x *exchange) answer(ctx context.Context, head, rest []byte) (r reply, accept dirhttp.Encodings, ok bool) {
	method, _, _ := strings.Cut(strings.TrimLeft(string(head[:min(len(head), 16)]), " \t\r\n"), " ")
	isGet, isPost := strings.EqualFold(method, "GET"), strings.EqualFold(method, "POST")
	if !isGet && !isPost {
		return reply{}, 0, false
	}
	q, err := dirhttp.ParseRequest(head)
	if err != nil || dirhttp.CheckLines(head) != nil {
		return badRequest(), 0, true
	}
	q.Method = strings.ToUpper(method)
	path := dirhttp.FullPath(q.Path)
	if !x.from.Stream {
		x.noteForwarded(q.ForwardedFor)
	}
	if isPost {
		r, ok = x.post(ctx, q, path, rest)
		return r, q.Accept, ok
	}
	// The body of a GET means nothing, but what is left unread would make TCP reset the connection under our answer.
	if !x.discard(q.Length-int64(len(rest)), time.Now().Add(uploadTime)) {
		return reply{}, 0, false
	}
	return x.get(ctx, q, path), q.Accept, true
}

// tooBusy asks whether there is bandwidth. As C tor does, it guesses that compression halves a document.
func (x *exchange) tooBusy(r *reply, accept dirhttp.Encodings) bool {
	if x.s.cfg.Busy == nil {
		return false
	}
	size := total(r.docs)
	if !r.ready && accept != dirhttp.Encodings(0).With(dirhttp.Identity) {
		size /= 2
	}
	return x.s.cfg.Busy(x.from, size)
}

func total(docs [][]byte) (n int64) {
	for _, d := range docs {
		n += int64(len(d))
	}
	return n
}

// take takes memory from the budget until the exchange ends.
func (x *exchange) take(n int64) bool {
	if !x.s.memory.take(n) {
		return false
	}
	x.taken += n
	return true
}

func (x *exchange) release() { x.s.memory.give(x.taken) }
