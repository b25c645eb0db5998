package socks

import (
	"context"
	"net"
	"net/netip"

	"github.com/tropea-net/tropea/internal/lib/isolation"
)

// A Connector reaches into Tor. Its methods are safe for concurrent use, and return soon after ctx ends; ctx carries the
// deadline, and ends when the application has gone.
type Connector interface {
	// Dial opens a stream and returns when the other end has accepted it. It retries by itself as it sees fit. The
	// stream outlives ctx.
	Dial(ctx context.Context, req Request) (Stream, error)

	// Resolve looks up the addresses of req.Host, for at most ttl seconds of use.
	Resolve(ctx context.Context, req Request) (addrs []netip.Addr, ttl uint32, err error)

	// ResolvePTR looks up the names of the address req.Host.
	ResolvePTR(ctx context.Context, req Request) ([]string, error)
}

// A Stream is a connection through Tor. Read returns io.EOF only after an orderly end. If a Stream is an io.ReaderFrom
// or io.WriterTo, data is carried by these instead of by buffers of ours.
type Stream interface {
	net.Conn
	CloseWrite() error // no more data will be written
}

// A Request is what a Connector is asked for.
type Request struct {
	Host      string // a name in lower case, or the text of an address
	Port      uint16
	Isolation isolation.Key
	KeepAlive bool // the stream keeps its circuit from growing too old to be used (KeepAliveIsolateSOCKSAuth)
	Traffic   Traffic

	// Early returns what the application has sent so far, to be sent right behind BEGIN. Dial may call it once for each
	// attempt to open the stream, never twice at once, and only until it returns. If it called Early, then all bytes
	// of the last answer, and no others, have been written to the stream that it returns. Each answer begins with the
	// one before, and must not be written to. It is nil for lookups.
	Early func() []byte
}

// Traffic is what a port lets its streams do, in the terms of SocksPort's flags. The zero Traffic is the default.
type Traffic struct {
	NoIPv4              bool
	NoIPv6              bool
	NoPreferIPv6        bool
	NoDNS               bool // no names but onion addresses
	NoOnion             bool
	CacheIPv4           bool
	CacheIPv6           bool
	UseIPv4Cache        bool
	UseIPv6Cache        bool
	NoPreferIPv6Automap bool
}
