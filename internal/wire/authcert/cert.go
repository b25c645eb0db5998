package authcert

import (
	"crypto/rsa"
	"crypto/sha1"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/doclist"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// MaxLen bounds a certificate, in bytes, as in C tor.
const MaxLen = 128 << 10

// Sizes of keys, in bits. C tor makes identity keys of 3072 and signing keys of 2048.
const (
	minBits = rsakey.RelayBits
	maxBits = rsakey.MaxBits
)

// Cert is a certificate whose signatures are right. Whether it is in force is for the caller to say.
type Cert struct {
	Identity    *rsa.PublicKey
	Fingerprint [20]byte // of Identity; names the authority
	Signing     *rsa.PublicKey
	SigningFP   [20]byte // of Signing
	Published   time.Time
	Expires     time.Time
	DirPort     netip.AddrPort // invalid if not told
	Digest      [20]byte       // SHA-1 of the signed part
	Text        []byte         // the whole certificate; aliases what was parsed
}

// Positions in schema.
const (
	itemVersion = iota
	itemAddress
	itemFingerprint
	itemPublished
	itemExpires
	itemIdentity
	itemSigning
	itemCrosscert
	itemCertification
)

const (
	kwVersion       = "dir-key-certificate-version"
	kwCertification = "dir-key-certification"
)

var schema = netdoc.NewSchema(
	netdoc.Rule{Keyword: kwVersion, Min: 1, Max: 1, MinArgs: 1, Place: netdoc.First},
	netdoc.Rule{Keyword: "dir-address", Max: 1, MinArgs: 1},
	netdoc.Rule{Keyword: "fingerprint", Min: 1, Max: 1, MinArgs: 1},
	netdoc.Rule{Keyword: "dir-key-published", Min: 1, Max: 1, MinArgs: 2},
	netdoc.Rule{Keyword: "dir-key-expires", Min: 1, Max: 1, MinArgs: 2},
	netdoc.Rule{Keyword: "dir-identity-key", Min: 1, Max: 1, Object: netdoc.NeedObject},
	netdoc.Rule{Keyword: "dir-signing-key", Min: 1, Max: 1, Object: netdoc.NeedObject},
	netdoc.Rule{Keyword: "dir-key-crosscert", Min: 1, Max: 1, Object: netdoc.NeedObject},
	netdoc.Rule{Keyword: kwCertification, Min: 1, Max: 1, Object: netdoc.NeedObject, Place: netdoc.Last},
)

// Parse parses one certificate and checks its signatures.
//
// https://spec.torproject.org/dir-spec/creating-key-certificates.html
func Parse(text []byte) (*Cert, error) {
	if len(text) > MaxLen {
		return nil, ErrTooLong
	}
	p := parser{cert: Cert{Text: text}}
	err := p.parse()
	if err == nil {
		err = p.verify()
	}
	if err != nil {
		return nil, fmt.Errorf("authority certificate: %w", err)
	}
	return &p.cert, nil
}

type parser struct {
	cert                     Cert
	declared                 [20]byte // fingerprint line
	crosscert, certification []byte   // signatures
}

func (p *parser) parse() error {
	s := netdoc.NewScanner(p.cert.Text, netdoc.Options{})
	check := schema.NewChecker()
	start, end := 0, 0 // of the signed part
	for s.Next() {
		it := s.Item()
		rule, err := check.Item(it)
		if err != nil {
			return err
		}
		switch rule {
		case itemVersion:
			start = it.Start
			if version, _ := it.Arg(0); string(version) != "3" {
				err = ErrVersion
			}
		case itemAddress:
			p.cert.DirPort, err = parseAddress(it)
		case itemFingerprint:
			err = netdoc.ParseHex(p.declared[:], it.Args.Trimmed())
		case itemPublished:
			p.cert.Published, err = it.Time()
		case itemExpires:
			p.cert.Expires, err = it.Time()
		case itemIdentity:
			p.cert.Identity, err = parseKey(it)
		case itemSigning:
			p.cert.Signing, err = parseKey(it)
		case itemCrosscert:
			tag := "ID SIGNATURE"
			if string(it.Object.Tag) == "SIGNATURE" {
				tag = "SIGNATURE" // "Implementations MUST allow" either
			}
			p.crosscert, err = it.Object.Decode(tag, 1, maxBits/8)
		case itemCertification:
			end = it.LineEnd
			p.certification, err = it.Object.Decode("SIGNATURE", 1, maxBits/8)
		}
		if err != nil {
			return it.Wrap(err)
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	if err := check.End(); err != nil {
		return err
	}
	p.cert.Digest = sha1.Sum(p.cert.Text[start:end])
	p.cert.Fingerprint, p.cert.SigningFP = rsakey.Fingerprint(p.cert.Identity), rsakey.Fingerprint(p.cert.Signing)
	return nil
}

// verify checks what ties the keys together.
func (p *parser) verify() error {
	c := &p.cert
	if c.Fingerprint != p.declared {
		return ErrFingerprint
	}
	if err := rsakey.VerifyRaw(c.Identity, c.Digest[:], p.certification); err != nil {
		return fmt.Errorf("%s: %w", kwCertification, err)
	}
	// Without this an authority could claim another's signing key as its own.
	if err := rsakey.VerifyRaw(c.Signing, c.Fingerprint[:], p.crosscert); err != nil {
		return fmt.Errorf("dir-key-crosscert: %w", err)
	}
	return nil
}

func parseKey(it *netdoc.Item) (*rsa.PublicKey, error) {
	der, err := it.Object.Decode(rsakey.Tag, 1, rsakey.MaxDER)
	if err != nil {
		return nil, err
	}
	return rsakey.ParseDER(der, minBits, maxBits)
}

func parseAddress(it *netdoc.Item) (netip.AddrPort, error) {
	arg, err := it.Arg(0)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr, err := netip.ParseAddrPort(string(arg))
	if err != nil || !addr.Addr().Is4() {
		return netip.AddrPort{}, netdoc.ErrBadValue
	}
	return addr, nil
}

// Split cuts a file or response of concatenated certificates, and yields the text of each. Text before the first is
// dropped.
func Split(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for e := range doclist.Split(data, kwVersion) {
			if !yield(e.Text) {
				return
			}
		}
	}
}
