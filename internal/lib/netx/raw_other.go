//go:build !linux

package netx

// A rawIO is for systems where system calls can be made past the runtime; on others connections are those of package net.
type rawIO struct{}

func newRawIO(sysConn) *rawIO { return nil }

func (*rawIO) read([]byte) (int, error)     { panic("netx: no raw I/O here") }
func (*rawIO) write([]byte) (int, error)    { panic("netx: no raw I/O here") }
func (*rawIO) tryWrite([]byte) (int, error) { panic("netx: no raw I/O here") }
func (*rawIO) waitReadable() error          { panic("netx: no raw I/O here") }
func (*rawIO) setQuickAck(bool)             {}
