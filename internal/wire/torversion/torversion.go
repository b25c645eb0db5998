// Package torversion reads and compares the versions of Tor that authorities recommend and relays tell.
//
// https://spec.torproject.org/version-spec.html
package torversion

import (
	"cmp"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
)

// Status says how far a release is. It belongs to the old form of versions, 0.1.2rc3.
type Status uint8

// The states, in their order.
const (
	Pre Status = iota
	RC
	Release
)

// A Version is MAJOR.MINOR[.MICRO[.PATCHLEVEL]][-TAG], with the state in place of the dot before the patch level in
// versions of old.
type Version struct {
	Major, Minor, Micro int32
	Status              Status
	Patch               int32
	Tag                 string // "alpha-dev"; at most maxTag bytes of it count
	Revision            int32  // of "(r123)"
	Commit              string // bytes of "(git-0123abcd)"
}

// maxTag is how much of a tag C tor keeps.
const maxTag = 31

// Parse reads a version with or without "Tor " before it. What follows the version is ignored, but for the revision or
// the commit in parentheses (tor_version_parse in C tor).
func Parse(s string) (v Version, ok bool) {
	v.Status = Release
	if len(s) >= 4 && strings.EqualFold(s[:4], "Tor ") {
		s = s[4:]
	}
	if s, ok = number(s, &v.Major); !ok || !strings.HasPrefix(s, ".") {
		return v, false
	}
	if s, ok = number(s[1:], &v.Minor); !ok || s == "" {
		return v, ok
	}
	if s[0] == '-' {
		return v, v.end(s)
	}
	if s[0] != '.' {
		return v, false
	}
	if s, ok = number(s[1:], &v.Micro); !ok || s == "" {
		return v, ok
	}
	switch {
	case s[0] == '-':
		return v, v.end(s)
	case s[0] == '.':
		s = s[1:]
	case strings.HasPrefix(s, "pre"):
		v.Status, s = Pre, s[3:]
	case strings.HasPrefix(s, "rc"):
		v.Status, s = RC, s[2:]
	default:
		return v, false
	}
	if s, ok = number(s, &v.Patch); !ok {
		return v, false
	}
	return v, v.end(s)
}

// number cuts a decimal number off.
func number(s string, n *int32) (rest string, ok bool) {
	end := 0
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	value, err := strconv.ParseUint(s[:end], 10, 31)
	*n = int32(value)
	return s[end:], err == nil
}

// end reads the tag and what follows it.
func (v *Version) end(s string) bool {
	if s != "" && (s[0] == '-' || s[0] == '.') {
		s = s[1:]
	}
	n := strings.IndexAny(s, " \t\r\n#")
	if n < 0 {
		n = len(s)
	}
	v.Tag, s = s[:min(n, maxTag)], strings.TrimLeft(s[n:], " \t\r\n")
	if digits, ok := strings.CutPrefix(s, "(r"); ok {
		v.Revision = leadingInt(digits)
		return true
	}
	text, ok := strings.CutPrefix(s, "(git-")
	if !ok {
		return true
	}
	text, _, ok = strings.Cut(text, ")")
	commit, err := hex.DecodeString(text)
	v.Commit = string(commit)
	return ok && err == nil && len(commit) > 0 && len(commit) <= 20
}

// leadingInt reads digits up to the first other byte; no digits are 0.
func leadingInt(s string) (n int32) {
	for i := 0; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		if d := int32(s[i] - '0'); n <= (math.MaxInt32-d)/10 {
			n = 10*n + d
		}
	}
	return n
}

// Compare orders versions (tor_version_compare in C tor).
func (v *Version) Compare(w *Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Micro, w.Micro),
		cmp.Compare(v.Status, w.Status), cmp.Compare(v.Patch, w.Patch), cmp.Compare(v.Tag, w.Tag),
		cmp.Compare(v.Revision, w.Revision), cmp.Compare(len(v.Commit), len(w.Commit)), cmp.Compare(v.Commit, w.Commit))
}

// CompareText orders texts as C tor sorts lists of versions: those that are versions first, then the others as text.
func CompareText(a, b string) int {
	v, okV := Parse(a)
	w, okW := Parse(b)
	switch {
	case okV && okW:
		return v.Compare(&w)
	case okV:
		return -1
	case okW:
		return 1
	}
	return strings.Compare(a, b)
}
