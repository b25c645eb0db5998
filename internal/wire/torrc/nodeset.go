package torrc

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
)

// NodeSet is a set of relays by fingerprint, nickname, address or country. The zero value is empty. It is not changed
// after it is parsed, so copies may share it.
type NodeSet struct {
	IDs       map[[20]byte]bool
	Nicknames map[string]bool   // in lower case
	Countries map[string]bool   // two letters in lower case, or "??" for unknown
	Addrs     exitpolicy.Policy // rejects what is in the set
	items     []string          // as written
}

// ParseNodeSet parses a list separated by commas of fingerprints ("$" before and "=Nick" or "~Nick" behind are
// optional), nicknames, address patterns and countries in braces.
func ParseNodeSet(s string) (NodeSet, error) {
	set := NodeSet{items: CSV(s)}
	for _, item := range set.items {
		if err := set.add(item); err != nil {
			return NodeSet{}, err
		}
	}
	return set, nil
}

func (n *NodeSet) add(item string) error {
	if id, ok := fingerprint(item); ok {
		put(&n.IDs, id)
		return nil
	}
	if IsNickname(item) {
		put(&n.Nicknames, strings.ToLower(item))
		return nil
	}
	if cc, ok := country(item); ok {
		put(&n.Countries, cc)
		return nil
	}
	p, _, err := exitpolicy.ParseList(item, exitpolicy.BareReject)
	if err != nil || !strings.ContainsAny(item, ".:*") || strings.ContainsAny(item, spaces) {
		return fmt.Errorf("%q is no fingerprint, nickname, address pattern or {country}; separate entries by commas", item)
	}
	n.Addrs = append(n.Addrs, p...)
	return nil
}

func put[K comparable](m *map[K]bool, key K) {
	if *m == nil {
		*m = map[K]bool{}
	}
	(*m)[key] = true
}

// Len returns the number of entries.
func (n NodeSet) Len() int { return len(n.items) }

// String returns the set as a file has it.
func (n NodeSet) String() string { return strings.Join(n.items, ",") }

// Contains tells whether a relay is in the set. country maps an address to its country, in lower case; it may be nil
// if the set has no countries.
func (n NodeSet) Contains(id [20]byte, nickname string, addrs []netip.AddrPort, country func(netip.Addr) string) bool {
	if n.IDs[id] || len(n.Nicknames) > 0 && n.Nicknames[strings.ToLower(nickname)] {
		return true
	}
	for _, a := range addrs {
		if n.Addrs.Judge(a.Addr(), a.Port()) == exitpolicy.Rejected {
			return true
		}
		if len(n.Countries) > 0 && n.Countries[country(a.Addr())] {
			return true
		}
	}
	return false
}

// IsNickname tells whether s is 1 to 19 letters and digits.
func IsNickname(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return 1 <= len(s) && len(s) <= 19
}

func fingerprint(s string) (id [20]byte, ok bool) {
	s = strings.TrimPrefix(s, "$")
	if i := strings.IndexAny(s, "=~"); i >= 0 {
		if !IsNickname(s[i+1:]) {
			return id, false
		}
		s = s[:i]
	}
	return Fingerprint(s)
}

// Fingerprint parses the 40 hexadecimal digits of an RSA identity.
func Fingerprint(s string) (id [20]byte, ok bool) {
	if len(s) != hex.EncodedLen(len(id)) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err == nil
}

func country(s string) (string, bool) {
	if len(s) != 4 || s[0] != '{' || s[3] != '}' {
		return "", false
	}
	return strings.ToLower(s[1:3]), true
}
