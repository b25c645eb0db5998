package dircache

import (
	"context"
	"io"
	"time"

	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// Limits on reading. All the time together counts, not that between two bytes, so a peer cannot hold a connection for long
// by sending now and then a byte.
const (
	headTime   = time.Minute
	uploadTime = 5 * time.Minute
	maxUpload  = 1<<24 - 1 // bytes, as in C tor
	freeHead   = 4 << 10   // bytes of a head that are not charged to the budget of memory
)

// readHead reads until the head of the request is there, and perhaps a bit more. It fails if the head is too long or does
// not come in time.
func (x *exchange) readHead() (head, rest []byte, ok bool) {
	x.conn.SetReadDeadline(x.began.Add(headTime))
	var finder dirhttp.HeadFinder
	buf := make([]byte, 0, 1024)
	for {
		if len(buf) == cap(buf) {
			size := 2 * cap(buf)
			if size > freeHead && !x.take(int64(size)) {
				return nil, nil, false
			}
			buf = append(make([]byte, 0, size), buf...)
		}
		n, err := x.conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		head, tooLong := finder.Find(buf)
		if tooLong != nil {
			return nil, nil, false
		}
		if head != nil {
			return head, buf[len(head):], true
		}
		if err != nil {
			return nil, nil, false
		}
	}
}

// discard reads n bytes and forgets them. It is false if they do not come, or are more than anyone would send.
func (x *exchange) discard(n int64, until time.Time) bool {
	if n <= 0 {
		return true
	}
	if n > maxUpload {
		return false
	}
	x.conn.SetReadDeadline(until)
	_, err := io.CopyN(io.Discard, onlyReader{x.conn}, n)
	return err == nil
}

// onlyReader hides WriterTo, which might take more than is asked for.
type onlyReader struct{ io.Reader }

// post takes an upload. Only what the hook wants is kept in memory.
func (x *exchange) post(ctx context.Context, q *dirhttp.Query, path string, rest []byte) (r reply, ok bool) {
	until := time.Now().Add(uploadTime)
	if q.Length < 0 {
		return badRequest(), true
	}
	rest = rest[:min(int64(len(rest)), q.Length)]
	missing := q.Length - int64(len(rest))
	most := 0
	if x.s.cfg.MaxUpload != nil && !x.s.cfg.Bridge {
		most = x.s.cfg.MaxUpload(path, x.from)
	}
	if q.Length > int64(most) {
		if !x.discard(missing, until) {
			return reply{}, false
		}
		return x.refuseUpload(most), true
	}
	if !x.take(q.Length) {
		return busy(), x.discard(missing, until)
	}
	body := append(make([]byte, 0, q.Length), rest...)[:q.Length]
	x.conn.SetReadDeadline(until)
	if _, err := io.ReadFull(x.conn, body[len(rest):]); err != nil {
		return reply{}, false
	}
	return x.callHook(ctx, q, path, body), true
}

func (x *exchange) refuseUpload(most int) reply {
	switch {
	case x.s.cfg.Bridge:
		return short(dirhttp.StatusBusy, "Not acting as a public relay", Refused)
	case most > 0:
		return short(dirhttp.StatusBadRequest, "Upload is too large", Refused)
	}
	return short(dirhttp.StatusBadRequest, "Nonauthoritative directory does not accept posted server descriptors", Refused)
}
