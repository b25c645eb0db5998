package keyfile

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// HeaderLen is the length of the header of a tagged file, in bytes.
const HeaderLen = 32

// maxHeader is how much of the header may be text: C tor keeps a byte for the end of a string.
const maxHeader = HeaderLen - 1

// MaxBody bounds what follows the header of a tagged file, in bytes. An encrypted master key takes 204.
const MaxBody = 256

// Tags of Ed25519 keys and certificates.
const (
	TagMaster  = "type0"   // identity keys, of relays and of onion services
	TagSigning = "type4"   // signing keys and their certificates: the number is the certificate's type
	TagFamily  = "fmly-id" // family keys
)

const (
	typeEdSecret = "ed25519v1-secret"
	typeEdPublic = "ed25519v1-public"
	typeEdCert   = "ed25519v1-cert"
	typeOnion    = "c25519v1"
	typeBox      = "Boxed Ed25519 key"
	tagOnion     = "onion"
	tagBox       = "master"
)

const (
	headStart = "== "
	headSep   = ": "
	headEnd   = " =="
)

// Tagged is a tagged file of any type.
type Tagged struct {
	Type string // such as "ed25519v1-secret"
	Tag  string // says what the key is for
	Body []byte // often secret
}

// ParseTagged parses a file of any type. The body aliases b.
//
// The format is that of crypto_write_tagged_contents_to_file: "== type: tag ==", filled up with zero bytes.
func ParseTagged(b []byte) (t Tagged, err error) {
	if len(b) < HeaderLen || len(b) > HeaderLen+MaxBody {
		return t, fmt.Errorf("%d bytes: %w", len(b), ErrLength)
	}
	head := bytes.TrimRight(b[:HeaderLen], "\x00")
	inner, ok := bytes.CutPrefix(head, []byte(headStart))
	if ok {
		inner, ok = bytes.CutSuffix(inner, []byte(headEnd))
	}
	typ, tag, cut := strings.Cut(string(inner), headSep)
	if !ok || !cut || len(head) > maxHeader || !isWord(typ) || !isWord(tag) {
		return t, fmt.Errorf("header: %w", ErrFormat)
	}
	return Tagged{typ, tag, b[HeaderLen:]}, nil
}

// isWord reports whether s may be a type or a tag.
func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == ':' })
}

// AppendTo appends the file to dst.
func (t Tagged) AppendTo(dst []byte) ([]byte, error) {
	head := headStart + t.Type + headSep + t.Tag + headEnd
	switch {
	case len(head) > maxHeader || !isWord(t.Type) || !isWord(t.Tag):
		return nil, fmt.Errorf("header: %w", ErrFormat)
	case len(t.Body) > MaxBody:
		return nil, fmt.Errorf("%d bytes: %w", len(t.Body), ErrLength)
	}
	dst = append(dst, head...)
	dst = append(dst, make([]byte, HeaderLen-len(head))...)
	return append(dst, t.Body...), nil
}

// Format prints the header alone, whatever the verb.
func (t Tagged) Format(f fmt.State, _ rune) {
	io.WriteString(f, headStart+t.Type+headSep+t.Tag+headEnd)
}

// parseBody returns the body of a file that must have a certain type and tag, and a body of length bytes; 0 means any.
func parseBody(b []byte, typ, tag string, length int) ([]byte, error) {
	t, err := ParseTagged(b)
	switch {
	case err != nil:
		return nil, err
	case t.Type != typ:
		return nil, fmt.Errorf("%q instead of %q: %w", t.Type, typ, ErrType)
	case t.Tag != tag:
		return nil, fmt.Errorf("%q instead of %q: %w", t.Tag, tag, ErrTag)
	case length != 0 && len(t.Body) != length:
		return nil, fmt.Errorf("body of %d bytes instead of %d: %w", len(t.Body), length, ErrLength)
	}
	return t.Body, nil
}
