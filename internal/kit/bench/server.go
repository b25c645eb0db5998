package bench

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

const loopback = "127.0.0.1"

// The first byte of a connection to the server says what it is for.
const (
	modeDownload = 'd' // the server sends for ever
	modeUpload   = 'u' // the server takes for ever
	modePing     = 'p' // the server answers with one byte
	modeEcho     = 'e' // the server sends back what it gets
)

// blockLen is how much is read and written at a time: enough that the load costs little of the CPU that is measured.
const blockLen = 64 << 10

// A server is what exits connect to, on loopback.
type server struct {
	listener net.Listener
	taken    atomic.Int64  // bytes of uploads
	progress chan struct{} // holds a token when taken may have grown
	wg       sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	conns  map[net.Conn]struct{}
	closed bool
}

func newServer() (*server, error) {
	l, err := net.Listen("tcp4", loopback+":0")
	if err != nil {
		return nil, err
	}
	s := &server{listener: l, progress: make(chan struct{}, 1), conns: map[net.Conn]struct{}{}}
	s.wg.Go(s.accept)
	return s, nil
}

func (s *server) port() uint16 { return uint16(s.listener.Addr().(*net.TCPAddr).Port) }

func (s *server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			c.Close()
		} else {
			s.conns[c] = struct{}{}
			s.wg.Go(func() { s.serve(c) })
		}
		s.mu.Unlock()
	}
}

func (s *server) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}()
	var mode [1]byte
	if _, err := io.ReadFull(c, mode[:]); err != nil {
		return
	}
	switch mode[0] {
	case modeDownload:
		buf := make([]byte, blockLen)
		for err := error(nil); err == nil; {
			_, err = c.Write(buf)
		}
	case modeUpload:
		buf := make([]byte, blockLen)
		for err := error(nil); err == nil; {
			var n int
			n, err = c.Read(buf)
			s.taken.Add(int64(n))
			select {
			case s.progress <- struct{}{}:
			default:
			}
		}
	case modePing:
		c.Write(mode[:])
	case modeEcho:
		io.Copy(c, c)
	}
}

// close ends all connections and waits for their goroutines.
func (s *server) close() {
	s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}
