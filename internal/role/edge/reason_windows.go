package edge

import (
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

var reasons = map[syscall.Errno]relaymsg.EndReason{
	windows.WSAEBADF:           relaymsg.EndInternal,
	windows.WSAEFAULT:          relaymsg.EndInternal,
	windows.WSAEINVAL:          relaymsg.EndInternal,
	windows.WSAEISCONN:         relaymsg.EndInternal,
	windows.WSAENOTSOCK:        relaymsg.EndInternal,
	windows.WSAEPROTONOSUPPORT: relaymsg.EndInternal,
	windows.WSAEAFNOSUPPORT:    relaymsg.EndInternal,
	windows.WSAENOTCONN:        relaymsg.EndInternal,

	windows.WSAENETUNREACH:  relaymsg.EndNoRoute,
	windows.WSAEHOSTUNREACH: relaymsg.EndNoRoute,
	windows.WSAEACCES:       relaymsg.EndNoRoute,

	windows.WSAECONNREFUSED: relaymsg.EndConnectRefused,
	windows.WSAECONNRESET:   relaymsg.EndConnReset,
	windows.WSAETIMEDOUT:    relaymsg.EndTimeout,

	windows.WSAENOBUFS:       relaymsg.EndResourceLimit,
	windows.WSAEMFILE:        relaymsg.EndResourceLimit,
	windows.WSAEADDRINUSE:    relaymsg.EndResourceLimit,
	windows.WSAEADDRNOTAVAIL: relaymsg.EndResourceLimit,
}
