package hsdesc

import (
	"encoding/base64"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// IntroPoint is an introduction point.
type IntroPoint struct {
	Specs    []linkspec.Spec // of the relay
	OnionKey [32]byte        // ntor key of the relay
	AuthCert *torcert.Cert   // of the key by which the introduction point knows the service
	EncKey   [32]byte        // X25519: introductions are encrypted to it
	EncCert  *torcert.Cert   // of EncKey, in its Ed25519 form
}

// Positions in introSchema.
const (
	itemIntroPoint = iota
	itemOnionKey
	itemIntroAuthKey
	itemEncKey
	itemEncKeyCert
)

const (
	kwIntroPoint = "introduction-point"
	kwOnionKey   = "onion-key"
	kwAuthCert   = "auth-key"
	kwEncKey     = "enc-key"
	kwEncKeyCert = "enc-key-cert"

	keyNTor = "ntor"
)

// introSchema is as in C tor (hs_desc_intro_point_v3_token_table), but for the legacy keys, which nobody has any more.
var introSchema = netdoc.NewSchema(
	netdoc.Rule{Keyword: kwIntroPoint, Min: 1, Max: 1, MinArgs: 1, MaxArgs: 1, Place: netdoc.First},
	netdoc.Rule{Keyword: kwOnionKey, Min: 1, Max: netdoc.Any, MinArgs: 2, Object: netdoc.MayObject},
	netdoc.Rule{Keyword: kwAuthCert, Min: 1, Max: 1, Object: netdoc.NeedObject},
	netdoc.Rule{Keyword: kwEncKey, Min: 1, Max: 1, MinArgs: 2, Object: netdoc.MayObject},
	netdoc.Rule{Keyword: kwEncKeyCert, Min: 1, Max: 1, Object: netdoc.NeedObject},
)

// introParser reads the items of one introduction point.
type introParser struct {
	p       IntroPoint
	signing [32]byte
	now     time.Time
}

func parseIntroPoint(text []byte, signing [32]byte, now time.Time) (IntroPoint, error) {
	p := introParser{signing: signing, now: now}
	s := netdoc.NewScanner(text, netdoc.Options{})
	check := introSchema.NewChecker()
	for s.Next() {
		it := s.Item()
		rule, err := check.Item(it)
		if err == nil {
			err = p.item(rule, it)
		}
		if err != nil {
			return IntroPoint{}, it.Wrap(err)
		}
	}
	if err := s.Err(); err != nil {
		return IntroPoint{}, err
	}
	if err := check.End(); err != nil {
		return IntroPoint{}, err
	}
	// A zero key has no secret: C tor's bug 41295.
	if p.p.OnionKey == [32]byte{} || p.p.EncKey == [32]byte{} {
		return IntroPoint{}, ErrZeroKey
	}
	return p.p, nil
}

func (p *introParser) item(rule int, it *netdoc.Item) (err error) {
	args := it.Args
	switch rule {
	case itemIntroPoint:
		p.p.Specs, err = parseSpecs(args.Next())
	case itemOnionKey:
		// Other kinds of key may stand beside it.
		if string(args.Next()) == keyNTor {
			return netdoc.ParseBase64(p.p.OnionKey[:], args.Next())
		}
	case itemIntroAuthKey:
		if err := noArgs(it); err != nil {
			return err
		}
		p.p.AuthCert, err = p.cert(it, torcert.TypeHSIntroAuth)
	case itemEncKey:
		if string(args.Next()) != keyNTor {
			return fmt.Errorf("kind of key: %w", netdoc.ErrBadValue)
		}
		return netdoc.ParseBase64(p.p.EncKey[:], args.Next())
	case itemEncKeyCert:
		p.p.EncCert, err = p.cert(it, torcert.TypeHSIntroEnc)
	}
	return err
}

func parseSpecs(arg []byte) ([]linkspec.Spec, error) {
	b := make([]byte, base64.StdEncoding.DecodedLen(len(arg)))
	n, err := base64.StdEncoding.Decode(b, arg)
	if err != nil {
		return nil, fmt.Errorf("link specifiers: %w", netdoc.ErrBadValue)
	}
	s := cryptobyte.String(b[:n])
	specs, err := linkspec.ParseList(&s)
	switch {
	case err != nil:
	case !s.Empty():
		err = fmt.Errorf("link specifiers: %w", linkspec.ErrTooLong)
	case len(specs) == 0:
		err = fmt.Errorf("link specifiers: %w", netdoc.ErrMissing)
	}
	return specs, err
}

// cert reads a certificate by the descriptor signing key.
func (p *introParser) cert(it *netdoc.Item, typ uint8) (*torcert.Cert, error) {
	b, err := it.Object.Decode(tagCert, 1, maxCertLen)
	if err != nil {
		return nil, err
	}
	c, err := torcert.Parse(b)
	switch {
	case err != nil:
	case c.Type != typ:
		err = torcert.ErrType
	case c.SignedWith == nil:
		err = fmt.Errorf("signing key: %w", torcert.ErrMissing)
	default:
		err = c.Verify(p.signing[:], p.now)
	}
	return c, err
}

// encode writes the introduction point as C tor does.
func (p *IntroPoint) encode(e *netdoc.Encoder) error {
	switch {
	case len(p.Specs) == 0:
		return fmt.Errorf("link specifiers: %w", netdoc.ErrMissing)
	case p.OnionKey == [32]byte{} || p.EncKey == [32]byte{}:
		return ErrZeroKey
	case p.AuthCert.Type != torcert.TypeHSIntroAuth || p.EncCert.Type != torcert.TypeHSIntroEnc:
		return torcert.ErrType
	case p.AuthCert.SignedWith == nil || p.EncCert.SignedWith == nil:
		return fmt.Errorf("signing key: %w", torcert.ErrMissing)
	}
	specs, err := linkspec.AppendList(nil, p.Specs)
	if err != nil {
		return err
	}
	e.Item(kwIntroPoint).PaddedBase64(specs)
	e.Item(kwOnionKey, keyNTor).PaddedBase64(p.OnionKey[:])
	e.Item(kwAuthCert).Object(tagCert, p.AuthCert.Bytes())
	e.Item(kwEncKey, keyNTor).PaddedBase64(p.EncKey[:])
	e.Item(kwEncKeyCert).Object(tagCert, p.EncCert.Bytes())
	return nil
}
