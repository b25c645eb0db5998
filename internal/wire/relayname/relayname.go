// Package relayname knows the forms in which people and documents name a relay: nicknames and fingerprints.
//
// https://spec.torproject.org/dir-spec/server-descriptor-format.html
package relayname

import (
	"encoding/hex"
	"strings"
)

// MaxNickname bounds a nickname, in bytes.
const MaxNickname = 19

// IsNickname reports whether s is 1 to 19 letters and digits.
func IsNickname[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= MaxNickname
}

// ParseFingerprint parses 40 hexadecimal digits, with or without a dollar sign before them, and a nickname behind them
// after = or ~. The nickname means nothing any more.
func ParseFingerprint(s string) (id [20]byte, ok bool) {
	s = strings.TrimPrefix(s, "$")
	const n = 2 * len(id)
	if len(s) < n || len(s) > n && (s[n] != '=' && s[n] != '~' || !IsNickname(s[n+1:])) {
		return id, false
	}
	if _, err := hex.Decode(id[:], []byte(s[:n])); err != nil {
		return [20]byte{}, false
	}
	return id, true
}

// FormatFingerprint returns a dollar sign and the digits in upper case, the form in which documents name relays.
func FormatFingerprint(id [20]byte) string { return "$" + strings.ToUpper(hex.EncodeToString(id[:])) }
