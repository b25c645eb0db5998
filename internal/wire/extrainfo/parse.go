package extrainfo

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/relayname"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// MaxLen bounds a document, in bytes. Authorities take less: routerdesc.MaxUpload.
const MaxLen = 128 << 10

// Errors of this package, beside those of packages netdoc, torcert and rsakey.
var (
	ErrTooLong   = errors.New("extra-info document is too long")
	ErrNickname  = errors.New("illegal nickname")
	ErrPosition  = errors.New("item at the wrong place")
	ErrSignature = errors.New("wrong Ed25519 signature")
	ErrMismatch  = errors.New("not what the router descriptor refers to")
	// ErrCopy says that all is right but the RSA signature, which the digest by which documents are named does not cover, so
	// that another copy may be good.
	ErrCopy = errors.New("damaged signature")
)

// Document is an extra-info document.
type Document struct {
	Nickname   string
	RSA        [20]byte // fingerprint of the relay
	Ed25519    [32]byte // identity of the relay
	SigningKey [32]byte // Ed25519, certified by that identity
	Published  time.Time

	Digest    [20]byte // SHA-1 of the text without the RSA signature; names the document
	Digest256 [32]byte // SHA-256 of all of the text
	Text      []byte   // the whole document; aliases what was parsed

	signature []byte // RSA
}

// Positions in schema.
const (
	itemExtraInfo = iota
	itemIdentity
	itemPublished
	itemEdSig
	itemRSASig
)

const (
	kwExtraInfo  = "extra-info"
	kwEdSig      = "router-sig-ed25519"
	kwRSASig     = "router-signature"
	tagCert      = "ED25519 CERT"
	tagSignature = "SIGNATURE"
)

// statistics are the items that may come once, without an object. C tor lets all others come as they like
// (extrainfo_token_table).
const statistics = "read-history write-history dirreq-stats-end dirreq-v2-ips dirreq-v3-ips dirreq-v2-reqs dirreq-v3-reqs " +
	"dirreq-v2-share dirreq-v3-share dirreq-v2-resp dirreq-v3-resp dirreq-v2-direct-dl dirreq-v3-direct-dl " +
	"dirreq-v2-tunneled-dl dirreq-v3-tunneled-dl entry-stats-end entry-ips cell-stats-end cell-processed-cells " +
	"cell-queued-cells cell-time-in-queue cell-circuits-per-decile exit-stats-end exit-kibibytes-written exit-kibibytes-read " +
	"exit-streams-opened"

var schema = newSchema()

func newSchema() *netdoc.Schema {
	rules := []netdoc.Rule{
		{Keyword: kwExtraInfo, Min: 1, Max: 1, MinArgs: 2, Place: netdoc.First},
		{Keyword: "identity-ed25519", Min: 1, Max: 1, Object: netdoc.NeedObject},
		{Keyword: "published", Min: 1, Max: 1, MinArgs: 2},
		{Keyword: kwEdSig, Min: 1, Max: 1, MinArgs: 1},
		{Keyword: kwRSASig, Min: 1, Max: 1, Object: netdoc.NeedObject, Place: netdoc.Last},
	}
	for keyword := range strings.FieldsSeq(statistics) {
		rules = append(rules, netdoc.Rule{Keyword: keyword, Max: 1})
	}
	return netdoc.NewSchema(rules...)
}

// maxCert bounds the certificate of the signing key, in bytes.
const maxCert = 1024

// Parse parses one document without annotations, and checks the signatures of its Ed25519 keys. Whether these keys are the
// relay's, and the RSA signature, takes the router descriptor to tell: see Check.
//
// https://spec.torproject.org/dir-spec/extra-info-document-format.html
func Parse(text []byte) (*Document, error) {
	if len(text) > MaxLen {
		return nil, ErrTooLong
	}
	p := parser{d: Document{Text: text}}
	if err := p.parse(); err != nil {
		return nil, fmt.Errorf("extra-info document: %w", err)
	}
	return &p.d, nil
}

type parser struct {
	d        Document
	items    int
	edSig    [64]byte
	edSigned []byte // what edSig is about
	edSigAt  int    // index of the item
}

func (p *parser) parse() error {
	s := netdoc.NewScanner(p.d.Text, netdoc.Options{})
	check := schema.NewChecker()
	for s.Next() {
		it := s.Item()
		rule, err := check.Item(it)
		if err == nil {
			err = p.item(rule, it)
		}
		if err != nil {
			return it.Wrap(err)
		}
		p.items++
	}
	if err := s.Err(); err != nil {
		return err
	}
	if err := check.End(); err != nil {
		return err
	}
	if p.edSigAt != p.items-2 {
		return fmt.Errorf("%s: %w", kwEdSig, ErrPosition)
	}
	if digest := edDigest(p.edSigned); !ed25519.Verify(p.d.SigningKey[:], digest[:], p.edSig[:]) {
		return fmt.Errorf("%s: %w", kwEdSig, ErrSignature)
	}
	p.d.Digest256 = sha256.Sum256(p.d.Text)
	return nil
}

func (p *parser) item(rule int, it *netdoc.Item) (err error) {
	switch rule {
	case itemExtraInfo:
		if it.Start != 0 || !strings.HasPrefix(string(p.d.Text), kwExtraInfo+" ") {
			return ErrPosition // the digests begin here, and C tor looks for just this text
		}
		args := it.Args
		nickname := args.Next()
		if !relayname.IsNickname(nickname) {
			return ErrNickname
		}
		p.d.Nickname = string(nickname)
		return netdoc.ParseHex(p.d.RSA[:], args.Next())
	case itemIdentity:
		if p.items != 1 {
			return ErrPosition
		}
		return p.identity(it)
	case itemPublished:
		p.d.Published, err = it.Time()
	case itemEdSig:
		end := it.Start + len(kwEdSig) + 1
		if end > it.LineEnd || string(p.d.Text[it.Start:end]) != kwEdSig+" " {
			return ErrPosition
		}
		p.edSigAt, p.edSigned = p.items, p.d.Text[:end]
		args := it.Args
		err = netdoc.ParseBase64(p.edSig[:], args.Next())
	case itemRSASig:
		p.d.Digest = sha1.Sum(p.d.Text[:it.LineEnd])
		p.d.signature, err = it.Object.Decode(tagSignature, 1, rsakey.RelayBits/8)
	}
	return err
}

// identity reads the certificate of the signing key. When it expires does not matter: the descriptor has the same.
func (p *parser) identity(it *netdoc.Item) error {
	b, err := it.Object.Decode(tagCert, 1, maxCert)
	if err != nil {
		return err
	}
	c, err := torcert.Parse(b)
	switch {
	case err != nil:
		return err
	case c.Type != torcert.TypeIDSigning || c.KeyType != torcert.KeyEd25519:
		return fmt.Errorf("type %d: %w", c.Type, torcert.ErrType)
	case c.SignedWith == nil:
		return fmt.Errorf("identity: %w", torcert.ErrMissing)
	}
	p.d.Ed25519, p.d.SigningKey = *c.SignedWith, c.Key
	return c.VerifySignature(nil)
}

// edDigest is what the Ed25519 signing key signs: a digest of text, which ends behind "router-sig-ed25519 ". That it names
// router descriptors is no mistake.
func edDigest(text []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("Tor router descriptor signature v1"))
	h.Write(text)
	return [32]byte(h.Sum(nil))
}

// Check tells whether the document is the one that the relay published together with its router descriptor: the digests
// that this gives, keys, time and RSA signature (routerinfo_incompatible_with_extrainfo in C tor).
func (d *Document) Check(r *routerdesc.Descriptor) error {
	for _, x := range []struct {
		what string
		same bool
	}{
		{"digest", d.Digest == r.ExtraInfo},
		{"fingerprint", d.RSA == r.RSA},
		{"Ed25519 identity", d.Ed25519 == r.Ed25519},
		{"Ed25519 signing key", d.SigningKey == r.SigningKey},
		{"published", d.Published.Equal(r.Published)},
	} {
		if !x.same {
			return fmt.Errorf("extra-info document: %s: %w", x.what, ErrMismatch)
		}
	}
	if err := d.CheckSignature(r.Identity); err != nil {
		return err
	}
	if r.ExtraInfo256 != [32]byte{} && d.Digest256 != r.ExtraInfo256 {
		return fmt.Errorf("extra-info document: SHA-256 digest: %w", ErrCopy)
	}
	return nil
}

// CheckSignature checks the RSA signature alone; its error is ErrCopy.
func (d *Document) CheckSignature(identity *rsa.PublicKey) error {
	if err := rsakey.VerifyRaw(identity, d.Digest[:], d.signature); err != nil {
		return fmt.Errorf("extra-info document: %w: %w", ErrCopy, err)
	}
	return nil
}
