package netx

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// quickAckBelow is the length of a read after which the kernel is asked to acknowledge at once; see [QuickAcker].
const quickAckBelow = 4 << 10

// A rawIO reads and writes a socket by system calls that package runtime does not hear of. For a call that it knows, the
// runtime gives the thread's processor away and takes it back, and rouses its monitor thread; for the short calls of a
// data path, none of which ever blocks, that costs more than the call. Waiting is left to the runtime's poller.
type rawIO struct {
	conn  sysConn // whose addresses go into errors
	raw   syscall.RawConn
	quick atomic.Bool
	in    rawCall
	out   rawCall
	peek  func(fd uintptr) bool // under in.mu
}

// A rawCall is one call that is under way. Its closure is made once, since one a call would be an allocation a call.
type rawCall struct {
	mu   sync.Mutex // held for the call
	try  func(fd uintptr) bool
	buf  []byte
	n    int
	once bool // do not wait
	err  error
}

// runLocked makes the call: wait is the method of the syscall.RawConn that calls try when the socket is ready.
func (c *rawCall) runLocked(wait func(func(fd uintptr) bool) error, p []byte, once bool) (int, error) {
	c.buf, c.n, c.once, c.err = p, 0, once, nil
	err := wait(c.try)
	c.buf = nil
	if err == nil {
		err = c.err
	}
	return c.n, err
}

func newRawIO(c sysConn) *rawIO {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	r := &rawIO{conn: c, raw: raw}
	r.in.try = r.readSome
	r.out.try = r.writeSome
	r.peek = r.readable
	return r
}

// readSome reads once; false means that nothing is there yet.
func (r *rawIO) readSome(fd uintptr) bool {
	c := &r.in
	n, errno := sysRead(fd, c.buf)
	switch {
	case errno == unix.EAGAIN:
		return false
	case errno != 0:
		c.err = os.NewSyscallError("read", errno)
	case n == 0:
		c.err = io.EOF
	default:
		c.n = n
		if n < quickAckBelow && r.quick.Load() {
			setQuickAck(fd)
		}
	}
	return true
}

func (r *rawIO) read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r.in.mu.Lock()
	defer r.in.mu.Unlock()
	n, err := r.in.runLocked(r.raw.Read, p, false)
	return n, r.describe("read", err)
}

// readable looks whether a read would return at once; false means to wait until it does.
func (r *rawIO) readable(fd uintptr) bool {
	again := r.in.once
	r.in.once = true
	return again || sysPeek(fd) != unix.EAGAIN
}

func (r *rawIO) waitReadable() error {
	r.in.mu.Lock()
	defer r.in.mu.Unlock()
	r.in.once = false
	return r.describe("read", r.raw.Read(r.peek))
}

// writeSome writes as much as the kernel takes; false means that the rest is to wait for more room.
func (r *rawIO) writeSome(fd uintptr) bool {
	c := &r.out
	for c.n < len(c.buf) {
		n, errno := sysWrite(fd, c.buf[c.n:])
		switch {
		case errno == unix.EAGAIN:
			return c.once
		case errno != 0:
			c.err = os.NewSyscallError("write", errno)
			return true
		}
		c.n += n
	}
	return true
}

func (r *rawIO) write(p []byte) (int, error) {
	r.out.mu.Lock()
	defer r.out.mu.Unlock()
	n, err := r.out.runLocked(r.raw.Write, p, false)
	return n, r.describe("write", err)
}

func (r *rawIO) tryWrite(p []byte) (int, error) {
	if !r.out.mu.TryLock() {
		return 0, nil // somebody waits in write
	}
	defer r.out.mu.Unlock()
	n, err := r.out.runLocked(r.raw.Write, p, true)
	return n, r.describe("write", err)
}

// describe gives err the form that package net gives it.
func (r *rawIO) describe(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e.Err
	}
	local, remote := r.conn.LocalAddr(), r.conn.RemoteAddr()
	return &net.OpError{Op: op, Net: remote.Network(), Source: local, Addr: remote, Err: err}
}

func (r *rawIO) setQuickAck(on bool) { r.quick.Store(on) }
