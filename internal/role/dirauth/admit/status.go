package admit

import (
	"net/netip"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/torversion"
)

// Identity is what the lists of an operator look at.
type Identity struct {
	RSA     [20]byte
	Ed25519 [32]byte // zero if there is none
	OR      netip.AddrPort
}

// Status tells what we think of a relay. platform is empty if it is not known, such as that of a relay in somebody's vote.
// If the status has Reject, the message says why.
//
// C tor: dirserv_get_status_impl, dirserv_would_reject_router.
func (c *Config) Status(id Identity, platform string) (approvedrouters.Status, string) {
	version, isTor, ok := platformVersion(platform)
	switch {
	case !ok:
		return approvedrouters.Reject, msgPlatform
	case isTor && version.Compare(&c.MinVersion) < 0:
		return approvedrouters.Reject, msgVersion
	}
	var s approvedrouters.Status
	if c.Approved != nil {
		s = c.Approved.Status(id.RSA, id.Ed25519)
	}
	switch {
	case s.Has(approvedrouters.Reject):
		return approvedrouters.Reject, msgListed
	case c.Reject.has(id.OR, c.Country):
		return approvedrouters.Reject, msgAddress
	}
	for _, r := range []struct {
		rule *AddressRule
		is   approvedrouters.Status
	}{{&c.BadExit, approvedrouters.BadExit}, {&c.MiddleOnly, approvedrouters.MiddleOnly}, {&c.Invalid, approvedrouters.Invalid}} {
		if r.rule.has(id.OR, c.Country) {
			s |= r.is
		}
	}
	return s, ""
}

// maxPlatform bounds the version in a platform line, in bytes.
const maxPlatform = 126

// platformVersion reads the version of "Tor 0.4.9.11 (git-0123abcd) on Linux". Other programs have none. It is not ok if it
// should be one and is not.
//
// C tor: tor_version_parse_platform.
func platformVersion(platform string) (v torversion.Version, isTor, ok bool) {
	text, isTor := strings.CutPrefix(platform, "Tor ")
	if !isTor {
		return v, false, true
	}
	const space = " \t\r\n"
	text = strings.TrimLeft(text, space)
	end := wordEnd(text)
	if rest := strings.TrimLeft(text[end:], space); strings.HasPrefix(rest, "(r") || strings.HasPrefix(rest, "(git-") {
		end = len(text) - len(rest) + wordEnd(rest)
	}
	if end > maxPlatform {
		return v, true, false
	}
	v, ok = torversion.Parse(text[:end])
	return v, true, ok
}

func wordEnd(s string) int {
	if i := strings.IndexAny(s, " \t\r\n"); i >= 0 {
		return i
	}
	return len(s)
}
