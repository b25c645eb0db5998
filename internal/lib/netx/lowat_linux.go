package netx

import (
	"os"

	"golang.org/x/sys/unix"
)

func setNotSentLowat(fd uintptr, n int) error {
	err := unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n)
	return os.NewSyscallError("setsockopt", err)
}
