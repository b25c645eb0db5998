package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"

	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
)

const (
	// maxDatagram is what is read of an answer. Without extensions answers have at most 512 bytes.
	maxDatagram = 1500
	// maxStrays is how many datagrams that are no answer one socket takes before the question goes over TCP, where
	// guessing does not help.
	maxStrays = 16
)

// tries are the messages of one look-up that may still be answered. One goroutine starts and ends them; each try has a
// goroutine, which end waits for.
type tries struct {
	r       *Resolver
	ctx     context.Context
	cancel  context.CancelFunc
	replies chan reply
	wg      sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	conns []net.Conn
	ended bool
}

// A reply is how a try ended.
type reply struct {
	n      int // which try it was
	server *server
	answer answer
	err    error
}

func (r *Resolver) newTries(ctx context.Context) *tries {
	t := &tries{r: r, replies: make(chan reply)}
	t.ctx, t.cancel = context.WithCancel(ctx)
	return t
}

// start sends a question to a server. The reply comes on replies, unless the tries are ended before.
func (t *tries) start(n int, s *server, q question, tcp bool) {
	safego.Go(&t.wg, t.r.log, "resolver try", func() {
		a, err := t.exchange(s, q, tcp)
		select {
		case t.replies <- reply{n, s, a, err}:
		case <-t.ctx.Done():
		}
	})
}

// end gives up what was not answered.
func (t *tries) end() {
	t.cancel()
	t.mu.Lock()
	t.ended = true
	conns := t.conns
	t.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	t.wg.Wait()
}

// keep makes end close c; it reports whether there is still time to use c.
func (t *tries) keep(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		c.Close()
		return false
	}
	t.conns = append(t.conns, c)
	return true
}

// exchange asks a server and waits for its answer, however long that takes.
func (t *tries) exchange(s *server, q question, tcp bool) (answer, error) {
	query, err := newQuery(q, !t.r.cfg.NoRandomizeCase)
	if err != nil {
		return answer{}, err
	}
	packets, _ := t.r.net.(netx.PacketNetwork)
	var conn net.Conn
	if tcp || packets == nil {
		tcp = true
		conn, err = t.r.net.Dial(t.ctx, "tcp", s.addr.String())
	} else {
		conn, err = packets.DialPacket(t.ctx, "udp", s.addr.String())
	}
	if err != nil {
		return answer{}, err
	}
	if !t.keep(conn) {
		return answer{}, net.ErrClosed
	}
	if tcp {
		return query.overTCP(conn)
	}
	return t.overUDP(conn, &query, s)
}

// overUDP sends a query over a socket that is connected to the server. Whatever is not the answer is ignored, so that
// nobody can make the query fail by guessing badly.
func (t *tries) overUDP(conn net.Conn, q *query, s *server) (answer, error) {
	if _, err := conn.Write(q.wire); err != nil {
		return answer{}, err
	}
	buf := make([]byte, maxDatagram)
	for range maxStrays {
		n, err := conn.Read(buf)
		if err != nil {
			return answer{}, err
		}
		switch q.echo(buf[:n]) {
		case echoFull:
			if n == len(buf) {
				return answer{}, errTruncated // by us
			}
			return q.parse(buf[:n])
		case echoError:
			return answer{}, serverError(buf[3] & 0x0f)
		case echoCase:
			t.r.counts.strays.Add(1)
			if !t.r.caseWarned.Swap(true) {
				t.r.log.Warn("A nameserver does not repeat the case of names, so its answers cannot be told from forged ones and are "+
					"ignored. If it never does, set ServerDNSRandomizeCase 0.", slog.Any("nameserver", s.addr))
			}
		default:
			t.r.counts.strays.Add(1)
		}
	}
	return answer{}, errFlooded
}

// overTCP sends a query over a connection to the server.
//
// https://www.rfc-editor.org/rfc/rfc7766
func (q *query) overTCP(conn net.Conn) (answer, error) {
	out := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(q.wire)), uint16(len(q.wire)))
	if _, err := conn.Write(append(out, q.wire...)); err != nil {
		return answer{}, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return answer{}, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, msg); err != nil {
		return answer{}, err
	}
	switch q.echo(msg) {
	case echoFull:
		a, err := q.parse(msg)
		if errors.Is(err, errTruncated) {
			return answer{}, errGarbage // there is nothing to turn to
		}
		return a, err
	case echoError:
		return answer{}, serverError(msg[3] & 0x0f)
	}
	return answer{}, errGarbage
}
