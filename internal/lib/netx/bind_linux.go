package netx

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// bindLate leaves the choice of the port to connect(2), when the destination is known too: a port that bind(2) has chosen
// serves one destination only, and an exit has more connections than there are ports.
func bindLate(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
	if err == nil {
		err = os.NewSyscallError("setsockopt", set)
	}
	return err
}
