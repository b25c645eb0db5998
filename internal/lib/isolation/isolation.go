// Package isolation says which streams may share a circuit. Streams on one circuit can be linked to each other by its
// exit, so that what must not be linked is kept apart.
//
// A stream carries a [Key], and two streams may share a circuit if and only if their keys are equal (==). Whoever takes
// a stream in fills a Key with all that he knows of it, and applies the [Rules] of his port, which blank what does not
// matter there.
package isolation

import (
	"net/netip"
	"sync/atomic"
)

// A Key holds what separates a stream from others. It is comparable, and equality is its whole meaning; the zero Key
// is that of streams which nothing sets apart. It tells who the user is and where he goes: wrap it before it is logged.
type Key struct {
	Group    Group      // which ports it may share with
	Protocol Protocol   // how the stream came in
	Client   netip.Addr // the application's address; not valid for local sockets
	User     string     // SOCKS or HTTP authentication, or isolation headers
	Pass     string
	Host     string // as the application asked for it, in lower case
	Port     uint16
	Token    Token // what a Go program asked for
}

// Protocol is a way in which streams come in.
type Protocol uint8

// The protocols that IsolateClientProtocol tells apart.
const (
	Internal Protocol = iota // our own, and those of Go programs
	SOCKS4
	SOCKS5
	HTTPConnect
	Transparent
	NATD
	DNS
)

// Rules say what besides the group separates the streams of a port. They are the isolation flags of SocksPort and its
// kin; the zero Rules are their defaults.
type Rules struct {
	NoClientAddr   bool // do not separate by the application's address
	NoSOCKSAuth    bool // do not separate by user and password
	ClientProtocol bool // separate by protocol
	DestPort       bool // separate by port asked for
	DestAddr       bool // separate by host asked for
}

// Apply returns k without what does not separate streams under r.
//
// C tor lets streams of one session group share a circuit under the rules of the stricter port alone. Here ports with
// different rules hardly ever share, which errs on the safe side.
func (r Rules) Apply(k Key) Key {
	if r.NoClientAddr {
		k.Client = netip.Addr{}
	}
	if r.NoSOCKSAuth {
		k.User, k.Pass = "", ""
	}
	if !r.ClientProtocol {
		k.Protocol = Internal
	}
	if !r.DestPort {
		k.Port = 0
	}
	if !r.DestAddr {
		k.Host = ""
	}
	return k
}

// A Group is a set of ports whose streams may share circuits. The zero Group is that of streams that come from no port.
type Group struct {
	kind groupKind
	n    uint64
}

type groupKind uint8

const (
	ownGroup groupKind = iota + 1
	sessionGroup
)

// SessionGroup returns the group with the number n of torrc. It differs from all that NewGroup returns.
func SessionGroup(n uint32) Group { return Group{sessionGroup, uint64(n)} }

// NewGroup returns a group that differs from all others, as a port without SessionGroup has it.
func NewGroup() Group { return Group{ownGroup, unique.Add(1)} }

// A Token separates streams at a Go program's wish: those with the same Token may share a circuit. The zero Token is
// that of a program without wishes.
type Token struct{ n uint64 }

// NewToken returns a Token that differs from all others.
func NewToken() Token { return Token{unique.Add(1)} }

// unique counts the groups and tokens made. It is the package's only state.
var unique atomic.Uint64
