package blaster

import (
	"io"

	"golang.org/x/sys/unix"
)

// drain throws away all that comes, in the kernel, until the connection is over.
//
// https://man7.org/linux/man-pages/man7/tcp.7.html (MSG_TRUNC)
func (c *conn) drain() error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd, 0, 1<<20, unix.MSG_TRUNC|unix.MSG_DONTWAIT, 0, 0)
			switch {
			case errno == unix.EAGAIN:
				return false
			case errno == unix.EINTR:
			case errno != 0:
				failed = errno
				return true
			case n == 0:
				failed = io.EOF
				return true
			default:
				c.received.Add(int64(n))
			}
		}
	})
	if err == nil {
		err = failed
	}
	return err
}
