package link

import (
	"encoding/binary"
	"net"
	"sync"
)

const (
	readBufLen  = 64 << 10 // one read call takes up to this much from the socket
	writeBufLen = 64 << 10 // one write call carries about this much while corked

	recordHeaderLen = 5

	// minReady is the least length of a record that counts as ready. A shorter one holds no whole cell, and may be an
	// alert or a key update: Read would then wait for the record after it, and cells that are here already with it.
	minReady = recordHeaderLen + 512
)

// bufConn lies between crypto/tls and the socket. crypto/tls reads a record header, then its body, and writes one record
// a call; this turns both into few large system calls. PERFORMANCE figures of a relay's data path hang on it.
type bufConn struct {
	net.Conn

	// The reader alone touches these.
	in         []byte // allocated once the first Read comes
	start, end int
	record     int // bytes of the current record that crypto/tls has not taken yet

	mu     sync.Mutex // guards the fields below: crypto/tls also writes from its reader (alerts, key updates)
	corked bool
	out    []byte
}

func newBufConn(c net.Conn) *bufConn { return &bufConn{Conn: c} }

// Read serves what an earlier system call brought, else makes one. It never returns bytes of two records: crypto/tls asks
// for more than it needs, and recordReady would not know how far it has come.
func (b *bufConn) Read(p []byte) (int, error) {
	if b.record == 0 {
		if err := b.fill(recordHeaderLen); err != nil {
			return 0, err
		}
		b.record = recordLen(b.in[b.start:])
	} else if err := b.fill(1); err != nil {
		return 0, err
	}
	n := copy(p, b.in[b.start:min(b.end, b.start+b.record)])
	b.start += n
	b.record -= n
	return n, nil
}

// fill reads from the socket until n bytes are there.
func (b *bufConn) fill(n int) error {
	if b.in == nil {
		b.in = make([]byte, readBufLen)
	}
	if b.end-b.start < n {
		b.end = copy(b.in, b.in[b.start:b.end])
		b.start = 0
	}
	for b.end-b.start < n {
		m, err := b.Conn.Read(b.in[b.end:])
		if m <= 0 && err != nil {
			return err
		}
		b.end += m // an error that came with data comes again
	}
	return nil
}

// recordLen returns the length of the record at the start of p, header and all.
func recordLen(p []byte) int {
	return recordHeaderLen + int(binary.BigEndian.Uint16(p[3:recordHeaderLen]))
}

// recordReady tells whether a whole TLS record lies in the buffer. The reader calls it between two Reads of the tls.Conn.
// A record that lies across the end of the buffer counts as not ready: reading on might block.
func (b *bufConn) recordReady() bool {
	have := b.in[b.start:b.end]
	if b.record != 0 || len(have) < minReady {
		return false
	}
	n := recordLen(have)
	return n >= minReady && n <= len(have)
}

// Write sends p, or holds it back while corked.
func (b *bufConn) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.corked {
		return b.Conn.Write(p)
	}
	b.out = append(b.out, p...)
	if len(b.out) < writeBufLen {
		return len(p), nil
	}
	if err := b.sendLocked(); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (b *bufConn) cork() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.corked = true
}

func (b *bufConn) flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.corked = false
	return b.sendLocked()
}

func (b *bufConn) sendLocked() error {
	if len(b.out) == 0 {
		return nil
	}
	_, err := b.Conn.Write(b.out)
	b.out = b.out[:0]
	return err
}
