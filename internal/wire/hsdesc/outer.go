package hsdesc

import (
	"crypto/ed25519"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// The lifetimes that a descriptor may have, and the one that services give it.
const (
	MinLifetime     = 30 * time.Minute
	MaxLifetime     = 720 * time.Minute
	DefaultLifetime = 180 * time.Minute
)

// minEncrypted is the least length of encrypted data, in bytes: salt, one byte and MAC.
const minEncrypted = 16 + 1 + 32

// Outer is the outer layer.
type Outer struct {
	Lifetime       time.Duration // how long a directory keeps the descriptor; whole minutes
	Cert           *torcert.Cert // of the descriptor signing key, by the blinded key
	Revision       uint64
	Superencrypted []byte // the next layer: salt, ciphertext and MAC
}

// BlindedKey is the key of the service for a time period, under which directories keep the descriptor. Do not change it.
func (o *Outer) BlindedKey() *[32]byte { return o.Cert.SignedWith }

// Positions in outerSchema.
const (
	itemVersion = iota
	itemLifetime
	itemCert
	itemRevision
	itemSuperencrypted
	itemSignature
)

const (
	kwVersion        = "hs-descriptor"
	kwLifetime       = "descriptor-lifetime"
	kwCert           = "descriptor-signing-key-cert"
	kwRevision       = "revision-counter"
	kwSuperencrypted = "superencrypted"
	kwSignature      = "signature"

	version    = "3"
	tagCert    = "ED25519 CERT"
	tagMessage = "MESSAGE"

	maxCertLen = 1 << 10 // bytes; it has 140

	signaturePrefix = "Tor onion service descriptor sig v3"
)

// outerSchema has no room for later arguments, as in C tor (hs_desc_v3_token_table).
var outerSchema = netdoc.NewSchema(
	netdoc.Rule{Keyword: kwVersion, Min: 1, Max: 1, MinArgs: 1, MaxArgs: 1, Place: netdoc.First},
	netdoc.Rule{Keyword: kwLifetime, Min: 1, Max: 1, MinArgs: 1, MaxArgs: 1},
	netdoc.Rule{Keyword: kwCert, Min: 1, Max: 1, Object: netdoc.NeedObject},
	netdoc.Rule{Keyword: kwRevision, Min: 1, Max: 1, MinArgs: 1, MaxArgs: 1},
	netdoc.Rule{Keyword: kwSuperencrypted, Min: 1, Max: 1, Object: netdoc.NeedObject},
	netdoc.Rule{Keyword: kwSignature, Min: 1, Max: 1, MinArgs: 1, MaxArgs: 1, Place: netdoc.Last},
)

// ParseOuter parses the outer layer, and checks its signatures and that the certificate is in force. A text of size bytes or
// more is too long: that is how C tor reads HSV3MaxDescriptorSize. Nothing in the result aliases text.
//
// https://spec.torproject.org/rend-spec/hsdesc-outer.html
func ParseOuter(text []byte, size int, now time.Time) (*Outer, error) {
	if len(text) >= size {
		return nil, ErrTooLong
	}
	p := outerParser{text: text}
	err := p.parse()
	if err == nil {
		err = p.verify(now)
	}
	if err != nil {
		return nil, fmt.Errorf("onion service descriptor: %w", err)
	}
	return &p.o, nil
}

type outerParser struct {
	o         Outer
	text      []byte
	signed    int // bytes of text that signature is about
	signature [ed25519.SignatureSize]byte
}

func (p *outerParser) parse() error {
	p.text = withNewline(p.text)
	s := netdoc.NewScanner(p.text, netdoc.Options{})
	check := outerSchema.NewChecker()
	for s.Next() {
		it := s.Item()
		rule, err := check.Item(it)
		if err == nil {
			err = p.item(rule, it)
		}
		if err != nil {
			return it.Wrap(err)
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	return check.End()
}

func (p *outerParser) item(rule int, it *netdoc.Item) (err error) {
	args := it.Args
	switch rule {
	case itemVersion:
		if string(args.Next()) != version {
			return ErrVersion
		}
	case itemLifetime:
		p.o.Lifetime, err = parseLifetime(args.Next())
	case itemCert:
		p.o.Cert, err = parseCert(it)
	case itemRevision:
		p.o.Revision, err = netdoc.ParseUint(args.Next(), math.MaxUint64)
	case itemSuperencrypted:
		p.o.Superencrypted, err = parseMessage(it)
	case itemSignature:
		return p.parseSignature(it)
	}
	return err
}

func parseLifetime(arg []byte) (time.Duration, error) {
	minutes, err := netdoc.ParseUint(arg, math.MaxUint32)
	if err != nil {
		return 0, err
	}
	d := time.Duration(minutes) * time.Minute
	return d, checkLifetime(d)
}

func checkLifetime(d time.Duration) error {
	if d < MinLifetime || d > MaxLifetime {
		return ErrLifetime
	}
	return nil
}

// noArgs is for items that have an object alone, which a Rule cannot say.
func noArgs(it *netdoc.Item) error {
	if it.Args.Len() > 0 {
		return fmt.Errorf("arguments: %w", netdoc.ErrTooMany)
	}
	return nil
}

func parseCert(it *netdoc.Item) (*torcert.Cert, error) {
	if err := noArgs(it); err != nil {
		return nil, err
	}
	b, err := it.Object.Decode(tagCert, 1, maxCertLen)
	if err != nil {
		return nil, err
	}
	c, err := torcert.Parse(b)
	if err != nil {
		return nil, err
	}
	return c, checkCert(c)
}

func checkCert(c *torcert.Cert) error {
	switch {
	case c.Type != torcert.TypeHSSigning:
		return torcert.ErrType
	case c.SignedWith == nil:
		return fmt.Errorf("blinded key: %w", torcert.ErrMissing)
	}
	return nil
}

// parseMessage reads encrypted data. The document bounds its length.
func parseMessage(it *netdoc.Item) ([]byte, error) {
	if err := noArgs(it); err != nil {
		return nil, err
	}
	b, err := it.Object.Decode(tagMessage, 0, len(it.Object.Text))
	if err == nil && len(b) < minEncrypted {
		err = ErrTooShort
	}
	return b, err
}

func (p *outerParser) parseSignature(it *netdoc.Item) error {
	// C tor looks for this very text to tell where the signed part ends.
	const start = kwSignature + " "
	if string(p.text[it.Start:min(it.Start+len(start), len(p.text))]) != start {
		return netdoc.ErrBadKeyword
	}
	p.signed = it.Start
	arg, err := it.Arg(0)
	if err == nil && len(arg)%4 == 0 {
		err = netdoc.ErrBadValue // padded
	}
	if err == nil {
		err = netdoc.ParseBase64(p.signature[:], arg)
	}
	return err
}

func (p *outerParser) verify(now time.Time) error {
	if err := p.o.Cert.Verify(nil, now); err != nil {
		return fmt.Errorf("%s: %w", kwCert, err)
	}
	if !ed25519.Verify(p.o.Cert.Key[:], signedText(p.text[:p.signed]), p.signature[:]) {
		return ErrSignature
	}
	return nil
}

// signedText is what the signature of a descriptor is made over.
func signedText(text []byte) []byte {
	return slices.Concat([]byte(signaturePrefix), text)
}
