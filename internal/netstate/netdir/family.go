package netdir

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

// SameFamily reports whether a and b say that one operator runs both: each lists the other, or they have proven that they
// share a family key. A consensus can turn either off. Families that our user declares are not known here.
//
// https://spec.torproject.org/path-spec/path-selection-constraints.html
func (v *View) SameFamily(a, b *Relay) bool {
	return v.familyLists && a.lists(b) && b.lists(a) || v.familyIDs && shareWord(a.familyIDs, b.familyIDs)
}

// Bits of an address that relays of one subnet have in common.
const (
	subnet4 = 16
	subnet6 = 32
)

// SameSubnet reports whether a and b have addresses so alike that one network may hold both.
//
// https://spec.torproject.org/path-spec/path-selection-constraints.html
func SameSubnet(a, b *Relay) bool {
	return samePrefix(a.Addr, b.Addr, subnet4) || samePrefix(a.Addr6, b.Addr6, subnet6)
}

func samePrefix(a, b netip.AddrPort, bits int) bool {
	if !a.IsValid() || !b.IsValid() {
		return false
	}
	p, err := a.Addr().Prefix(bits)
	return err == nil && p.Contains(b.Addr())
}

// A packed family is a sorted list of members of memberLen bytes each: a kind, and a fingerprint or a nickname in lower
// case that zeros fill up.
const (
	memberLen  = 1 + 20
	byRSA      = 0
	byNickname = 1
)

func packMember(m microdesc.Member) (p [memberLen]byte) {
	if m.Nickname != "" {
		p[0] = byNickname
		copy(p[1:], m.Nickname)
		return p
	}
	p[0] = byRSA
	copy(p[1:], m.RSA[:])
	return p
}

// A packer packs family lines and shares equal ones: its keys are the texts. In the lines that authorities make, the relay
// itself is a member, so that relays of a family mostly have the same.
type packer map[string]string

func (f packer) pack(text string) string {
	packed, ok := f[text]
	if !ok {
		packed = pack(text)
		f[text] = packed
	}
	return packed
}

func pack(text string) string {
	var members [][memberLen]byte
	for m := range microdesc.Members(text) {
		members = append(members, packMember(m))
	}
	slices.SortFunc(members, func(a, b [memberLen]byte) int { return bytes.Compare(a[:], b[:]) })
	members = slices.Compact(members)
	packed := make([]byte, 0, memberLen*len(members))
	for i := range members {
		packed = append(packed, members[i][:]...)
	}
	return string(packed)
}

// contains reports whether m is in a packed family.
func contains(packed string, m [memberLen]byte) bool {
	low, high := 0, len(packed)/memberLen
	for low < high {
		mid := int(uint(low+high) >> 1)
		switch entry := packed[mid*memberLen : (mid+1)*memberLen]; {
		case entry == string(m[:]):
			return true
		case entry < string(m[:]):
			low = mid + 1
		default:
			high = mid
		}
	}
	return false
}

// lists reports whether r lists other as of its family.
func (r *Relay) lists(other *Relay) bool {
	if contains(r.family, packMember(microdesc.Member{RSA: other.RSA})) {
		return true
	}
	// Nicknames come last. Few families have any.
	return r.family != "" && r.family[len(r.family)-memberLen] == byNickname &&
		contains(r.family, packMember(microdesc.Member{Nickname: strings.ToLower(other.Nickname)}))
}

// sortWords sorts the words of a line and drops those that come twice.
func sortWords(line string) string {
	words := strings.Fields(line)
	if len(words) < 2 {
		return line
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), " ")
}

// shareWord reports whether two sorted lines of words have one in common.
func shareWord(a, b string) bool {
	for a != "" && b != "" {
		wordA, restA, _ := strings.Cut(a, " ")
		wordB, restB, _ := strings.Cut(b, " ")
		switch {
		case wordA == wordB:
			return true
		case wordA < wordB:
			a = restA
		default:
			b = restB
		}
	}
	return false
}
