package link

import (
	"encoding/binary"
	"net"
	"sync"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

const (
	// ioBufLen is how much one system call takes from the socket, or gives it while corked: what the writer takes at once fits.
	ioBufLen = 64 << 10

	recordHeaderLen = 5
	maxRecordLen    = recordHeaderLen + maxRecord + 2048 // of TLS 1.2; less in 1.3

	// minReady is the least length of a record that counts as ready. A shorter one holds no whole cell, and may be an
	// alert or a key update: Read would then wait for the record after it, and cells that are here already with it.
	minReady = recordHeaderLen + 512
)

// bufConn lies between crypto/tls and the socket. crypto/tls reads a record header, then its body, and writes one record
// a call; this turns both into few large system calls. PERFORMANCE figures of a relay's data path hang on it.
type bufConn struct {
	net.Conn

	// The reader alone touches these.
	in         *ioBuf // from the pool while there is something in it
	start, end int
	full       bool // the last system call brought all that there was room for
	record     int  // bytes of the current record that crypto/tls has not taken yet

	mu     sync.Mutex // guards the fields below: crypto/tls also writes from its reader (alerts, key updates)
	corked bool
	out    *ioBuf // from the pool while corked
	outLen int
}

// An ioBuf is what goes through one system call. Links share a pool of them: most links are idle.
type ioBuf [ioBufLen]byte

var ioBufs = sync.Pool{New: func() any { return new(ioBuf) }}

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
		b.in = ioBufs.Get().(*ioBuf)
	}
	if b.end-b.start < n {
		b.end = copy(b.in[:], b.in[b.start:b.end])
		b.start = 0
	}
	for b.end-b.start < n {
		m, err := b.Conn.Read(b.in[b.end:])
		if m <= 0 && err != nil {
			return err
		}
		b.end += m // an error that came with data comes again
		b.full = b.end == len(b.in)
	}
	return nil
}

// await waits until a whole record is there, without a buffer as long as there is nothing at all, if the socket can do that.
// An error of the socket is left to Read, which gets it again.
func (b *bufConn) await() error {
	w, ok := b.Conn.(netx.ReadWaiter)
	for ok && b.record == 0 && !b.full && !b.whole() {
		if b.start == b.end && b.in != nil {
			ioBufs.Put(b.in)
			b.in, b.start, b.end = nil, 0, 0
		}
		if err := w.WaitReadable(); err != nil {
			return err
		}
		if b.fill(b.end-b.start+1) != nil {
			return nil
		}
	}
	return nil
}

// whole tells whether a whole record lies in the buffer, or one that is too long for any.
func (b *bufConn) whole() bool {
	if b.end-b.start < recordHeaderLen {
		return false
	}
	n := recordLen(b.in[b.start:])
	return n > maxRecordLen || n <= b.end-b.start
}

// recordLen returns the length of the record at the start of p, header and all.
func recordLen(p []byte) int {
	return recordHeaderLen + int(binary.BigEndian.Uint16(p[3:recordHeaderLen]))
}

// recordReady tells whether a whole TLS record lies in the buffer. The reader calls it between two Reads of the tls.Conn.
// A record that lies across the end of the buffer counts as not ready: reading on might block.
func (b *bufConn) recordReady() bool {
	if b.in == nil {
		return false
	}
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
	for rest := p; ; {
		if b.out == nil {
			b.out = ioBufs.Get().(*ioBuf)
		}
		n := copy(b.out[b.outLen:], rest)
		b.outLen += n
		if rest = rest[n:]; len(rest) == 0 {
			return len(p), nil
		}
		if err := b.sendLocked(); err != nil {
			return 0, err
		}
	}
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

// sendLocked sends what was held back, and lets go of the buffer.
func (b *bufConn) sendLocked() error {
	if b.out == nil {
		return nil
	}
	_, err := b.Conn.Write(b.out[:b.outLen])
	ioBufs.Put(b.out)
	b.out, b.outLen = nil, 0
	return err
}
