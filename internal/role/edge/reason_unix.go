//go:build !windows

package edge

import (
	"syscall"

	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

var reasons = map[syscall.Errno]relaymsg.EndReason{
	syscall.EPIPE: relaymsg.EndDone,

	syscall.EBADF:           relaymsg.EndInternal,
	syscall.EFAULT:          relaymsg.EndInternal,
	syscall.EINVAL:          relaymsg.EndInternal,
	syscall.EISCONN:         relaymsg.EndInternal,
	syscall.ENOTSOCK:        relaymsg.EndInternal,
	syscall.EPROTONOSUPPORT: relaymsg.EndInternal,
	syscall.EAFNOSUPPORT:    relaymsg.EndInternal,
	syscall.ENOTCONN:        relaymsg.EndInternal,

	syscall.ENETUNREACH:  relaymsg.EndNoRoute,
	syscall.EHOSTUNREACH: relaymsg.EndNoRoute,
	syscall.EACCES:       relaymsg.EndNoRoute,
	syscall.EPERM:        relaymsg.EndNoRoute,

	syscall.ECONNREFUSED: relaymsg.EndConnectRefused,
	syscall.ECONNRESET:   relaymsg.EndConnReset,
	syscall.ETIMEDOUT:    relaymsg.EndTimeout,

	syscall.ENOBUFS:       relaymsg.EndResourceLimit,
	syscall.ENOMEM:        relaymsg.EndResourceLimit,
	syscall.ENFILE:        relaymsg.EndResourceLimit,
	syscall.EMFILE:        relaymsg.EndResourceLimit,
	syscall.EADDRINUSE:    relaymsg.EndResourceLimit,
	syscall.EADDRNOTAVAIL: relaymsg.EndResourceLimit,
}
