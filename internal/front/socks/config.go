package socks

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

// Config tells a Server how to treat its applications. The zero Config is that of "SocksPort 9050".
type Config struct {
	Group     isolation.Group // zero: a group of its own
	Isolation isolation.Rules
	KeepAlive bool // KeepAliveIsolateSOCKSAuth
	Traffic   Traffic

	PreferNoAuth   bool // PreferSOCKSNoAuth
	ExtendedErrors bool // tell why an onion service is out of reach
	SafeSocks      bool // refuse requests that name an address, which the application may have looked up outside Tor
	TestSocks      bool // log for each request whether it names an address

	Allow  func(client netip.Addr) bool // SocksPolicy; nil allows all. Applications on local sockets are not asked about.
	Mapped func(netip.Addr) bool        // whether we handed this address out for a name; nil says no

	// Timeout bounds the handshake, and then again the wait for the Connector (SocksTimeout). Zero means two minutes.
	Timeout time.Duration

	// ReplyCode says what an application is told when the Connector failed. Nil means DefaultReplyCode.
	ReplyCode func(error) socksmsg.ReplyCode

	Log *slog.Logger // nil discards
}

const defaultTimeout = 2 * time.Minute

// withDefaults returns c without zero values that mean something else.
func (c Config) withDefaults() Config {
	if c.Group == (isolation.Group{}) {
		c.Group = isolation.NewGroup()
	}
	// An application that is asked for a password without need may be confused, as C tor found.
	c.PreferNoAuth = c.PreferNoAuth || c.Isolation.NoSOCKSAuth
	if c.Allow == nil {
		c.Allow = func(netip.Addr) bool { return true }
	}
	if c.Mapped == nil {
		c.Mapped = func(netip.Addr) bool { return false }
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.ReplyCode == nil {
		c.ReplyCode = DefaultReplyCode
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
