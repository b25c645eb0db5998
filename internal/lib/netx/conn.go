package netx

import (
	"net"
	"syscall"
	"time"
)

// A sysConn is what the TCP and Unix connections of package net have in common.
type sysConn interface {
	net.Conn
	HalfCloser
	syscall.Conn
}

// A conn is a connection of the operating system whose errors are scrubbed.
type conn struct {
	sysConn
	raw *rawIO // nil where the system has none
}

var (
	_ LowWater   = conn{}
	_ QuickAcker = conn{}
	_ ReadWaiter = conn{}
	_ TryWriter  = conn{}
)

// wrap expects a connection that was opened by a network name of [Network], all of which are sysConns.
func wrap(c net.Conn) net.Conn {
	sys := c.(sysConn)
	return conn{sys, newRawIO(sys)}
}

func (c conn) Read(p []byte) (n int, err error) {
	if c.raw != nil {
		n, err = c.raw.read(p)
	} else {
		n, err = c.sysConn.Read(p)
	}
	return n, Scrub(err)
}

func (c conn) Write(p []byte) (n int, err error) {
	if c.raw != nil {
		n, err = c.raw.write(p)
	} else {
		n, err = c.sysConn.Write(p)
	}
	return n, Scrub(err)
}

// TryWrite implements [TryWriter].
func (c conn) TryWrite(p []byte) (int, error) {
	if c.raw == nil {
		return 0, nil
	}
	n, err := c.raw.tryWrite(p)
	return n, Scrub(err)
}

// WaitReadable implements [ReadWaiter].
func (c conn) WaitReadable() error {
	if c.raw == nil {
		return nil
	}
	return Scrub(c.raw.waitReadable())
}

// SetQuickAck implements [QuickAcker].
func (c conn) SetQuickAck(on bool) {
	if _, ok := c.sysConn.(*net.TCPConn); ok && c.raw != nil {
		c.raw.setQuickAck(on)
	}
}

func (c conn) Close() error                       { return Scrub(c.sysConn.Close()) }
func (c conn) CloseWrite() error                  { return Scrub(c.sysConn.CloseWrite()) }
func (c conn) SetDeadline(t time.Time) error      { return Scrub(c.sysConn.SetDeadline(t)) }
func (c conn) SetReadDeadline(t time.Time) error  { return Scrub(c.sysConn.SetReadDeadline(t)) }
func (c conn) SetWriteDeadline(t time.Time) error { return Scrub(c.sysConn.SetWriteDeadline(t)) }

// SetNotSentLowat implements [LowWater].
func (c conn) SetNotSentLowat(n int) error {
	if _, ok := c.sysConn.(*net.TCPConn); !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return Scrub(err)
	}
	var set error
	if err := raw.Control(func(fd uintptr) { set = setNotSentLowat(fd, n) }); err != nil {
		return Scrub(err)
	}
	return set
}
