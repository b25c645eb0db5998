package exit

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// linger is how long a server has to accept what the client sent before it ended the stream, and up to twice that.
const linger = time.Minute

// runLen is the bytes of data that one run of cells holds.
const runLen = link.ChunkCells * 498

var buffers = sync.Pool{New: func() any { return new([runLen]byte) }}

// carry tells the client that it is connected, and carries bytes both ways until both are over. There are no half-closed
// streams in Tor: when either end is done, so is the other, after what was on its way has been delivered.
//
// https://spec.torproject.org/tor-spec/closing-streams.html
func (f *flow) carry() {
	defer f.conn.Close()
	there := f.to.Addr().Unmap()
	if f.s.Accept(relaymsg.Connected{Addr: there, TTL: ttl}) != nil { // the client does not want it any more
		f.e.cfg.Note(Event{Kind: Refused, Port: f.to.Port(), Reason: relaymsg.EndMisc})
		return
	}
	done := Event{Kind: Closed, Port: f.to.Port(), IPv6: there.Is6()}
	f.e.cfg.Note(Event{Kind: Connected, Port: done.Port, IPv6: done.IPv6})

	var back sync.WaitGroup
	defer func() {
		f.conn.Close()
		f.s.Refuse(relaymsg.EndInternal) // after a panic; else it has ended
		back.Wait()
		f.e.cfg.Note(done)
	}()
	var broken atomic.Uint32 // an EndReason: why the server takes no more
	safego.Go(&back, f.e.log, "exit stream, from server", func() {
		defer f.s.Refuse(relaymsg.EndInternal) // likewise
		var err error
		done.Read, err = f.fromServer()
		reason := relaymsg.EndReason(broken.Load())
		if reason == 0 {
			reason = reasonOf(err)
		}
		f.s.Refuse(reason)
	})
	w := &toServer{flow: f}
	w.try, _ = f.conn.(netx.TryWriter)
	var err error
	if done.Written, err = f.s.WriteTo(w); !f.s.Ended() {
		// What the server has said before it went may still be there to be read.
		broken.Store(uint32(reasonOf(err)))
		f.conn.SetReadDeadline(time.Now().Add(linger))
		back.Wait()
	}
}

// fromServer carries to the client what the server sends, and returns why it sends no more.
func (f *flow) fromServer() (total int64, err error) {
	waiter, _ := f.conn.(netx.ReadWaiter)
	for {
		if waiter != nil {
			if err := waiter.WaitReadable(); err != nil {
				return total, err
			}
		}
		n, err := f.someFromServer()
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

func (f *flow) someFromServer() (int, error) {
	b := buffers.Get().(*[runLen]byte)
	defer buffers.Put(b)
	n, err := f.conn.Read(b[:])
	if n > 0 {
		if n, err := f.s.Write(b[:n]); err != nil {
			return n, err
		}
	}
	return n, err
}

// toServer is the socket as the stream writes to it.
type toServer struct {
	*flow
	try netx.TryWriter // nil if the connection has no such thing
}

// TryWrite implements [netx.TryWriter].
func (w *toServer) TryWrite(p []byte) (int, error) {
	if w.try == nil {
		return 0, nil
	}
	return w.try.TryWrite(p)
}

// Write waits for the server as long as there is the stream, and then for a moment.
func (w *toServer) Write(p []byte) (total int, err error) {
	if total, err = w.TryWrite(p); err != nil || total == len(p) {
		return total, err
	}
	defer w.conn.SetWriteDeadline(time.Time{}) // TryWrite would obey it
	for {
		ended := w.s.Ended()
		w.conn.SetWriteDeadline(time.Now().Add(linger))
		n, err := w.conn.Write(p[total:])
		if total += n; err == nil || ended || !errors.Is(err, os.ErrDeadlineExceeded) {
			return total, err
		}
	}
}
