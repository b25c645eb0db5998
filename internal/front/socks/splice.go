package socks

import (
	"io"
	"log/slog"
	"net"
	"sync"

	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
)

// splice carries data between the application and the stream until both directions have ended, or one has failed. It
// closes both. early is sent to the stream first.
func splice(log *slog.Logger, c net.Conn, stream Stream, early []byte) {
	var wg sync.WaitGroup
	closeBoth := func() { c.Close(); stream.Close() }
	defer closeBoth()
	safego.Go(&wg, log, "socks to tor", func() {
		pump(closeBoth, stream.CloseWrite, func() error {
			if len(early) > 0 {
				if _, err := stream.Write(early); err != nil {
					return err
				}
			}
			if r, ok := stream.(io.ReaderFrom); ok {
				_, err := r.ReadFrom(c)
				return err
			}
			return copyAll(stream, c)
		})
	})
	safego.Go(&wg, log, "tor to socks", func() {
		pump(closeBoth, func() error { return closeWrite(c) }, func() error {
			if w, ok := stream.(io.WriterTo); ok {
				_, err := w.WriteTo(c)
				return err
			}
			return copyAll(c, stream)
		})
	})
	wg.Wait()
}

// pump carries one direction by move, and ends it. If either fails, or panics, it ends the other direction too.
func pump(abort func(), end, move func() error) {
	ended := false
	defer func() {
		if !ended {
			abort()
		}
	}()
	ended = move() == nil && end() == nil
}

// closeWrite tells the application that no more data comes. A connection that cannot say so is closed as a whole.
func closeWrite(c net.Conn) error {
	if h, ok := c.(netx.HalfCloser); ok {
		return h.CloseWrite()
	}
	return c.Close()
}

// buffers are those of copyAll. They are handed over whole, and nothing keeps a slice of them.
var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// copyAll copies until the end of src. Unlike io.Copy it never uses ReadFrom and WriteTo: those of TCP connections
// allocate a buffer for each call unless both ends are sockets.
func copyAll(dst io.Writer, src io.Reader) error {
	buf := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			if _, werr := dst.Write(buf[:n]); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
