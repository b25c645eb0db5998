package config

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// unnamed is the nickname of a relay whose operator gave none.
const unnamed = "Unnamed"

// RelayFamilies are the families that the relay is in.
type RelayFamilies struct {
	Members   []string // MyFamily: fingerprints as $ and 40 upper-case digits, or nicknames; without the own nickname
	IDs       []string // FamilyId: Ed25519 keys, each 43 characters of base64
	AnyID     bool     // FamilyId *: every key in Directory
	Directory string   // FamilyKeyDirectory; the key directory if empty
}

// RelayKeys says how keys are kept.
type RelayKeys struct {
	Directory          string // KeyDirectory; empty for keys/ in the data directory
	GroupReadable      bool
	OfflineMaster      bool
	SigningKeyLifetime time.Duration
	TLSLifetime        time.Duration // 0: drawn

	// What test networks shorten.
	LinkCertLifetime, AuthKeyLifetime        time.Duration
	SigningKeySlop, LinkKeySlop, AuthKeySlop time.Duration
}

// identify takes who the relay is and where it is found. The ports must be known.
func (r *Relay) identify(v *Values, host Host) (err error) {
	if r.Enabled() && v.String("Nickname") == "" {
		v.put("Nickname", unnamed)
	}
	r.Nickname = v.String("Nickname")
	if r.Contact, err = newContact(v); err != nil {
		return err
	}
	if r.Addresses, err = newAddresses(v, r.Enabled()); err != nil {
		return err
	}
	if r.Families, err = newFamilies(v, host, r.Nickname); err != nil {
		return err
	}
	r.Keys, err = newKeys(v, host)
	return err
}

// newContact returns ContactInfo as a descriptor has it: escaped if it is longer than a line.
func newContact(v *Values) (string, error) {
	s := v.String("ContactInfo")
	switch {
	case !utf8.ValidString(s):
		return "", v.at("ContactInfo").Errorf("must be UTF-8")
	case strings.ContainsAny(s, "\n\r"):
		return string(torrc.AppendValue(nil, s)), nil
	}
	return s, nil
}

func newAddresses(v *Values, relay bool) (list []string, err error) {
	families := map[bool]bool{}
	for _, l := range v.Lines("Address") {
		a, ok := parseIP(l.Value)
		if !ok {
			list = append(list, l.Value)
			continue
		}
		if families[a.Is6()] && relay {
			return nil, l.Errorf("only one address of each family can be published")
		}
		families[a.Is6()] = true
		list = append(list, a.String())
	}
	return list, nil
}

// parseIP parses an IP address. An IPv6 address may stand in brackets.
func parseIP(s string) (netip.Addr, bool) {
	inner, open := strings.CutPrefix(s, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	a, err := netip.ParseAddr(inner)
	return a, err == nil && a.Zone() == "" && open == closed && (a.Is6() || !open)
}

func newFamilies(v *Values, host Host, nickname string) (f RelayFamilies, err error) {
	for _, l := range v.Lines("MyFamily") {
		for _, name := range torrc.CSV(l.Value) {
			member, err := familyMember(name)
			if err != nil {
				return f, l.Errorf("%w", err)
			}
			if !strings.EqualFold(member, nickname) {
				f.Members = append(f.Members, member)
			}
		}
	}
	if v.IsSet("MyFamily") && v.String("ContactInfo") == "" {
		v.warn("MyFamily is set but ContactInfo is not. Set both: who runs several relays should be easy to reach.")
	}
	for _, l := range v.Lines("FamilyId") {
		if l.Value == "*" {
			f.AnyID = true
			continue
		}
		id, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(l.Value, "="))
		if err != nil || len(id) != 32 {
			return f, l.Errorf("%q is no family ID, 43 characters of base64, nor *", l.Value)
		}
		f.IDs = append(f.IDs, base64.RawStdEncoding.EncodeToString(id))
	}
	f.Directory, err = v.path("FamilyKeyDirectory", host)
	return f, err
}

// familyMember parses a nickname, or a fingerprint with or without "$" and a nickname behind it. Spaces do not count:
// fingerprints are often written in groups of four digits.
func familyMember(s string) (string, error) {
	s = strings.Join(strings.Fields(s), "")
	digits, hasDollar := strings.CutPrefix(s, "$")
	if !hasDollar && torrc.IsNickname(s) {
		return s, nil
	}
	if i := strings.IndexAny(digits, "=~"); i >= 0 && torrc.IsNickname(digits[i+1:]) {
		digits = digits[:i]
	}
	if _, ok := torrc.Fingerprint(digits); !ok {
		return "", fmt.Errorf("%q is no fingerprint or nickname", s)
	}
	return "$" + strings.ToUpper(digits), nil
}

func newKeys(v *Values, host Host) (k RelayKeys, err error) {
	// A key directory that is the data directory is as readable as that.
	shared := v.String("KeyDirectory") != "" && host.expand(v.String("KeyDirectory")) == host.expand(v.String("DataDirectory"))
	k = RelayKeys{
		GroupReadable: v.AutoBool("KeyDirectoryGroupReadable").Or(shared && v.Bool("DataDirectoryGroupReadable")),
		OfflineMaster: v.Bool("OfflineMasterKey"), SigningKeyLifetime: v.Duration("SigningKeyLifetime"), TLSLifetime: v.Duration("SSLKeyLifetime"),
		LinkCertLifetime: v.Duration("TestingLinkCertLifetime"), AuthKeyLifetime: v.Duration("TestingAuthKeyLifetime"),
		SigningKeySlop: v.Duration("TestingSigningKeySlop"), LinkKeySlop: v.Duration("TestingLinkKeySlop"), AuthKeySlop: v.Duration("TestingAuthKeySlop"),
	}
	k.Directory, err = v.path("KeyDirectory", host)
	return k, err
}

// newPublish tells whether the descriptor goes to the directory authorities.
// C tor: options_validate_publish_server.
func newPublish(v *Values) (v3 bool, err error) {
	const name = "PublishServerDescriptor"
	bridge, all := false, v.CSV(name)
	for _, word := range all {
		switch fold(word) {
		case "0":
		case "1", "v3":
			v3 = true
		case "bridge":
			bridge = true
			v.warn("%s bridge has no effect in this version, which is no bridge.", name)
		case "v1", "v2", "hidserv":
			v.warn("%s %s has no effect: there are no such directory authorities anymore.", name, word)
		default:
			return false, v.at(name).Errorf("unrecognized value %q: allowed values are 0, 1, v3 and bridge", word)
		}
		if (word == "0" || word == "1") && len(all) > 1 {
			v.warn("%s: %s should stand alone, without other values.", name, word)
		}
	}
	if v3 && bridge {
		return false, v.at(name).Errorf("a bridge does not publish its descriptor to the directory authorities: choose v3 or bridge")
	}
	return v3, nil
}
