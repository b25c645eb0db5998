package dircache

import (
	"bufio"
	"net"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/lib/inet"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// Limits on writing.
const (
	// stall is how long a peer may take for one chunk. C tor's limit is the same, but between two bytes; a chunk in that
	// time is 200 bytes per second.
	stall = 5 * time.Minute
	chunk = 64 << 10
	// bufferLen is the length of the buffer that gathers the head and small documents.
	bufferLen = 4 << 10
)

// write sends the answer. Documents longer than the buffer are written from where they lie.
func (x *exchange) write(r *reply) {
	x.event.Status, x.event.Outcome, x.event.Encoding, x.event.Size = r.status, r.outcome, r.encoding, total(r.docs)
	out := chunkWriter{conn: x.conn}
	w := x.s.buffers.Get().(*bufio.Writer)
	w.Reset(&out)
	defer func() {
		w.Reset(nil)
		x.s.buffers.Put(w)
		x.event.Sent = out.sent
	}()
	head, err := x.head(w.AvailableBuffer(), r)
	if err != nil {
		x.s.cfg.Env.Log.Error("Bug: a directory answer has no head", "err", err)
		x.event.Outcome = Failed
		return
	}
	w.Write(head) // errors stick to w
	for _, d := range r.docs {
		w.Write(d)
	}
	if w.Flush() != nil {
		x.event.Outcome = Failed
	}
}

func (x *exchange) head(dst []byte, r *reply) ([]byte, error) {
	now := x.s.cfg.Env.Now()
	if len(r.docs) == 0 {
		s := dirhttp.Short{Status: r.status, Reason: r.reason, Date: now, NotNew: r.notNew}
		return s.AppendTo(dst)
	}
	a := dirhttp.Answer{
		Date: now, Type: r.mime, YourAddress: x.peer(), Encoding: r.encoding, Length: x.event.Size, Lifetime: r.lifetime,
		VaryDiff: r.vary,
	}
	return a.AppendTo(dst), nil
}

// A chunkWriter gives each chunk its time.
type chunkWriter struct {
	conn net.Conn
	sent int64
}

func (w *chunkWriter) Write(p []byte) (total int, err error) {
	for len(p) > 0 && err == nil {
		var n int
		w.conn.SetWriteDeadline(time.Now().Add(stall))
		n, err = w.conn.Write(p[:min(len(p), chunk)])
		p = p[n:]
		total += n
	}
	w.sent += int64(total)
	return total, err
}

// peer returns what the client is told to be its address: invalid if we do not know, or if it is near.
func (x *exchange) peer() netip.Addr {
	a := x.from.Addr.Unmap().WithZone("")
	if x.from.Anonymous || inet.IsInternal(a) || x.s.cfg.IsLocal != nil && x.s.cfg.IsLocal(a) {
		return netip.Addr{}
	}
	if x.forwarded.IsValid() {
		return x.forwarded
	}
	return a
}

// noteForwarded takes over what a proxy in front of a DirPort says of the client's address (http_set_address_origin in C
// tor). Anyone can say that, so it is told to the client and used for nothing else.
func (x *exchange) noteForwarded(text string) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" && !inet.IsInternal(a) {
		x.forwarded = a
	}
}
