package microdesc

import (
	"iter"
	"slices"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/relayname"
)

// Member is a relay that a family line lists: by fingerprint, or by nickname, which says little.
type Member struct {
	RSA      [20]byte // zero if Nickname is set
	Nickname string   // in lower case; nicknames do not depend on case
}

// Members yields the members of a family line. Forms that nobody knows are skipped. That A lists B makes them a family
// only if B lists A too.
//
// https://spec.torproject.org/path-spec/path-selection-constraints.html
func Members(family string) iter.Seq[Member] {
	return func(yield func(Member) bool) {
		for s := range strings.FieldsSeq(family) {
			if m, ok := parseMember(s); ok && !yield(m) {
				return
			}
		}
	}
}

func parseMember(s string) (m Member, ok bool) {
	if relayname.IsNickname(s) {
		return Member{Nickname: strings.ToLower(s)}, true
	}
	m.RSA, ok = relayname.ParseFingerprint(s)
	return m, ok
}

// String returns the canonical form: "$" and the fingerprint in upper case, or the nickname.
func (m Member) String() string {
	if m.Nickname != "" {
		return m.Nickname
	}
	return relayname.FormatFingerprint(m.RSA)
}

// CanonicalFamily returns the members that a relay's descriptor lists in the form that authorities give them since
// consensus method 29: canonical, sorted, each once, the relay itself among them, so that relays of a family all have
// the same text. Forms that nobody knows stay as they are, even twice (nodefamily_canonicalize in C tor).
//
// https://spec.torproject.org/dir-spec/computing-microdescriptors.html
func CanonicalFamily(members []string, self [20]byte) string {
	list := []string{Member{RSA: self}.String()}
	var unknown []string
	for _, s := range members {
		if m, ok := parseMember(s); ok {
			list = append(list, m.String())
		} else {
			unknown = append(unknown, s)
		}
	}
	slices.Sort(list)
	list = append(slices.Compact(list), unknown...)
	slices.Sort(list)
	return strings.Join(list, " ")
}
