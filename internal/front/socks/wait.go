package socks

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safego"
)

const (
	maxEarly  = 16 << 10 // bytes that are taken from an application before it is connected; 33 cells
	earlyRead = 2 << 10
)

// waiting is an application that waits for the Connector. It is read from meanwhile, for its optimistic data, and to
// notice when it goes away.
type waiting struct {
	ctx    context.Context // ends with the time allowed, or when the application has gone
	cancel context.CancelFunc
	conn   net.Conn
	reader sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	data  []byte     // grows only, up to maxEarly: slices of it stay as they are
	taken int        // what early last returned
	gone  bool
}

// wait begins to wait for at most the server's timeout. data is what the application has sent already.
func (s *Server) wait(ctx context.Context, c net.Conn, data []byte) *waiting {
	w := &waiting{conn: c, data: data}
	w.ctx, w.cancel = context.WithTimeout(ctx, s.cfg.Timeout)
	c.SetDeadline(time.Time{})
	safego.Go(&w.reader, s.cfg.Log, "socks early data", w.read)
	return w
}

// read takes what the application sends until stop.
func (w *waiting) read() {
	var buf [earlyRead]byte
	for {
		w.mu.Lock()
		room := maxEarly - len(w.data)
		w.mu.Unlock()
		if room <= 0 {
			return // the rest waits in the kernel
		}
		n, err := w.conn.Read(buf[:min(room, len(buf))])
		w.mu.Lock()
		w.data = append(w.data, buf[:n]...)
		// C tor takes an end before the reply for the application's going, even though it might wait for an answer.
		w.gone = err != nil && !isTimeout(err)
		w.mu.Unlock()
		if err != nil {
			if !isTimeout(err) {
				w.cancel()
			}
			return
		}
	}
}

// early is Request.Early.
func (w *waiting) early() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = len(w.data)
	return w.data[:w.taken:w.taken]
}

// stop ends the waiting and says whether the application has gone.
func (w *waiting) stop() (gone bool) {
	w.conn.SetReadDeadline(time.Unix(1, 0)) // wakes the reader
	w.reader.Wait()
	w.cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gone
}

// rest returns the data that early has not told about. It comes after stop.
func (w *waiting) rest() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.data[w.taken:]
}
