package bootstrap

import (
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/client/dirsync"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/netstate/guard"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
)

// explain returns C tor's word for err, and one sentence of advice.
func explain(err error) (reason, advice string) {
	var dial *link.DialError
	errors.As(err, &dial)
	var timeout net.Error
	switch {
	case errors.Is(err, link.ErrWrongIdentity):
		return "IDENTITY", "Something answers in the place of the relays: look for a captive portal or a proxy that intercepts connections."
	case errors.Is(err, dirsync.ErrExpired), errors.Is(err, dirsync.ErrFuture):
		return "CLOCK_SKEW", "Check this machine's time, timezone and date settings."
	case errors.Is(err, dirsync.ErrUnsigned):
		return "UNSIGNED", "The directory is not signed by the authorities that we trust: check the DirAuthority lines, or whether this version is very old."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "CONNECTREFUSED", "The relay refuses connections; if all of them do, a firewall here or at your provider blocks Tor."
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN):
		return "NOROUTE", "This machine cannot reach the network: check its connection, and whether a firewall allows outgoing TCP."
	case errors.Is(err, syscall.ECONNRESET):
		return "CONNECTRESET", "Connections to relays are cut: a firewall here or at your provider may block Tor."
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EPERM):
		return "NOROUTE", "This machine's firewall or sandbox forbids outgoing connections."
	case errors.As(err, new(*pathsel.Error)), errors.As(err, new(*guard.Error)):
		return "NOPATH", "Check EntryNodes, MiddleNodes, ExitNodes, ExcludeNodes and StrictNodes in the configuration; else wait for more of the directory."
	case errors.As(err, new(*dirclient.StatusError)):
		return "DIRSERVER", "The directory server does not have what we need yet; another one will be asked."
	case errors.Is(err, circmgr.ErrBuildTimeout), errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return "TIMEOUT", "Relays do not answer: the network is slow, or a firewall silently drops connections to Tor."
	case dial != nil && dial.Op == "TLS":
		return "TLS_ERROR", "Something between here and the relay disturbs encrypted connections: look for a proxy or a firewall."
	case dial != nil && dial.Op == "handshake":
		return "PROTOCOL", "The relay does not speak Tor as it should; another one will be tried."
	}
	return "MISC", "Another relay will be tried; if this goes on, look at the log with \"Log info stdout\"."
}

// serious tells whether err will not go away by trying another relay.
func serious(err error) bool {
	return errors.Is(err, dirsync.ErrExpired) || errors.Is(err, dirsync.ErrFuture) || errors.Is(err, dirsync.ErrUnsigned)
}
