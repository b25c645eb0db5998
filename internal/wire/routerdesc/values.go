package routerdesc

import (
	"fmt"
	"math"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/relayname"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// maxCert bounds an Ed25519 certificate in a descriptor, in bytes. Those in use have 104 or 140.
const maxCert = 1024

func parseCert(it *netdoc.Item, tag string) (*torcert.Cert, error) {
	b, err := it.Object.Decode(tag, 1, maxCert)
	if err != nil {
		return nil, err
	}
	return torcert.Parse(b)
}

// parseFingerprint reads hexadecimal digits in groups of four.
func (p *parser) parseFingerprint(args netdoc.Args) error {
	var digits []byte
	for group := args.Next(); group != nil; group = args.Next() {
		digits = append(digits, group...)
	}
	p.fingerprint = make([]byte, len(p.d.RSA))
	return netdoc.ParseHex(p.fingerprint, digits)
}

// maxUptime keeps an uptime within what a time.Duration holds: 292 years.
const maxUptime = uint64(math.MaxInt64 / time.Second)

func parseUptime(args netdoc.Args) (time.Duration, error) {
	n, err := netdoc.ParseUint(args.Next(), math.MaxInt64)
	return time.Duration(min(n, maxUptime)) * time.Second, err
}

func parseBandwidth(args netdoc.Args) (b Bandwidth, err error) {
	for _, v := range []*uint32{&b.Rate, &b.Burst, &b.Observed} {
		n, err := netdoc.ParseUint(args.Next(), math.MaxInt32)
		if err != nil {
			return Bandwidth{}, err
		}
		*v = uint32(n)
	}
	if b.Rate == 0 {
		return Bandwidth{}, fmt.Errorf("rate 0: %w", netdoc.ErrBadValue)
	}
	return b, nil
}

// extraInfo reads the digests of the extra-info document. A malformed one counts as none, as in C tor.
func (p *parser) extraInfo(args netdoc.Args) {
	if netdoc.ParseHex(p.d.ExtraInfo[:], args.Next()) != nil {
		p.d.ExtraInfo = [20]byte{}
	}
	if netdoc.ParseBase64(p.d.ExtraInfo256[:], args.Next()) != nil {
		p.d.ExtraInfo256 = [32]byte{}
	}
}

// overload reads "1" and the time. Other versions of the line are skipped.
func (p *parser) overload(args netdoc.Args) {
	if string(args.Next()) == "1" {
		if t, err := args.Time(); err == nil {
			p.d.OverloadGeneral = t
		}
	}
}

// parseFamily reads nicknames, and fingerprints behind dollar signs. One that is malformed spoils the descriptor.
func parseFamily(args netdoc.Args) (members []string, err error) {
	for arg := args.Next(); arg != nil; arg = args.Next() {
		m := string(arg)
		if !isMember(m) {
			return nil, fmt.Errorf("%.64q: %w", m, ErrNickname)
		}
		members = append(members, m)
	}
	return members, nil
}

// isMember reports whether s is a nickname, or a dollar sign and a fingerprint, perhaps with = or ~ and a nickname.
func isMember(s string) bool {
	if s[0] != '$' {
		return relayname.IsNickname(s)
	}
	_, ok := relayname.ParseFingerprint(s)
	return ok
}
