package link

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// ErrWrongIdentity says that a relay proved to be somebody else than the one that was wanted.
var ErrWrongIdentity = errors.New("relay has another identity key than expected")

// Target is a relay to connect to. At least one of the identities must be known.
type Target struct {
	Addrs  []netip.AddrPort // tried in this order
	RSA    [20]byte
	Ed     [32]byte
	HasRSA bool
	HasEd  bool
}

// check compares what a relay proved with what was wanted.
func (t *Target) check(ids torcert.Identities) error {
	if !t.HasRSA && !t.HasEd {
		return errors.New("link: target without an identity")
	}
	if t.HasRSA && t.RSA != ids.RSA {
		return fmt.Errorf("%w: RSA identity is %X, expected %X", ErrWrongIdentity, ids.RSA, t.RSA)
	}
	if t.HasEd && (!ids.HasEd || t.Ed != ids.Ed) {
		return fmt.Errorf("%w: Ed25519 identity differs", ErrWrongIdentity)
	}
	return nil
}

// serves tells whether a circuit to t may go over l: it leads to the right relay, and not through somebody who merely
// passes the bytes on, since then it would be at one of the relay's own addresses. Whoever connected to us is believed its
// address if that is one that it calls its own, or that t has.
//
// https://spec.torproject.org/tor-spec/creating-circuits.html#canonical-connections
func (l *Link) serves(t *Target) bool {
	if !t.matches(l.peer) {
		return false
	}
	return l.ours || l.canon || slices.ContainsFunc(t.Addrs, func(a netip.AddrPort) bool { return a.Addr() == l.peer.Addr.Addr() })
}

// matches tells whether an open link to p will do for t. A link that proved no Ed25519 identity never stands for a
// target that has one.
func (t *Target) matches(p Peer) bool {
	return p.Relay && (!t.HasRSA || t.RSA == p.RSA) && (!t.HasEd || p.HasEd && t.Ed == p.Ed)
}

// key names the relay in the registry's table of dials. Callers that want the same RSA identity with different Ed25519
// ones do not share a dial: only one of them can be right.
func (t *Target) key() relayKey {
	return relayKey{rsa: t.RSA, ed: t.Ed, hasRSA: t.HasRSA, hasEd: t.HasEd}
}

type relayKey struct {
	rsa           [20]byte
	ed            [32]byte
	hasRSA, hasEd bool
}

// DialError says that no address of a relay led to an open link.
type DialError struct {
	Addr netip.AddrPort // the address tried last
	Op   string         // "connect", "TLS" or "handshake"
	Err  error
}

func (e *DialError) Error() string {
	return fmt.Sprintf("%s to relay at %v: %v", e.Op, safelog.Of(e.Addr), e.Err)
}
func (e *DialError) Unwrap() error { return e.Err }

// oldest returns the oldest of the links that serves t, and is open and young enough for new circuits; nil if none is.
func (t *Target) oldest(links iter.Seq[*Link]) (best *Link) {
	for l := range links {
		if l.serves(t) && l.Err() == nil && (best == nil || l.id < best.id) && time.Since(l.opened) < maxReuse {
			best = l
		}
	}
	return best
}
