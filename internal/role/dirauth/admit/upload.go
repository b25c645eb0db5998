package admit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"unicode/utf8"

	"github.com/tropea-net/tropea/internal/lib/ed25519x"
	"github.com/tropea-net/tropea/internal/wire/doclist"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// Limits of an upload. A relay sends one descriptor and one extra-info document.
const (
	MaxBody = 512 << 10 // bytes; meant for dircache.Config.MaxUpload
	MaxDocs = 64
)

var (
	kwRouter    = []byte("router ")
	kwExtraInfo = []byte("extra-info ")
	kwSignature = []byte("\nrouter-signature")
	endOfDoc    = []byte("\n-----END SIGNATURE-----\n")
	byteOrder   = []byte("\ufeff")
)

// A document is one part of an upload. It aliases the body.
type document struct {
	text   []byte
	hash   [32]byte // SHA-256 of text
	router *routerdesc.Descriptor
	extra  *extrainfo.Document
	err    error // it is malformed

	goodKey bool // of a router
}

func (d *document) isRouter() bool { return bytes.HasPrefix(d.text, kwRouter) }

// tooLong tells whether a document is longer than an authority takes.
func (d *document) tooLong() bool {
	if d.isRouter() {
		return len(d.text) > routerdesc.MaxUpload
	}
	return len(d.text) > extrainfo.MaxUpload
}

// What makes a document malformed before it is parsed.
var (
	errAnnotated = errors.New("annotations before a document that is uploaded")
	errUnsigned  = errors.New("no router-signature")
	errTooMany   = errors.New("too many documents")
)

// split cuts a body into documents, in its order. Text between them counts for nothing, as in C tor.
func split(body []byte) (docs []document, err error) {
	for e := range doclist.Split(body, "router", "extra-info") {
		if len(docs) == MaxDocs {
			return nil, errTooMany
		}
		d := document{text: e.Text}
		if len(e.Annotations) > 0 {
			d.err = errAnnotated
		}
		if !d.cut() && d.err == nil {
			d.err = errUnsigned
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// cut takes off what follows the signature.
func (d *document) cut() bool {
	if !d.isRouter() && !bytes.HasPrefix(d.text, kwExtraInfo) {
		return false
	}
	at := bytes.Index(d.text, kwSignature)
	if at < 0 {
		return false
	}
	end := bytes.Index(d.text[at:], endOfDoc)
	if end < 0 {
		return false
	}
	d.text = d.text[: at+end+len(endOfDoc) : at+end+len(endOfDoc)]
	return true
}

// parse parses a document and checks its signatures, which takes a third of a millisecond.
func (d *document) parse() {
	switch {
	case d.err != nil:
	case d.isRouter():
		if d.router, d.err = routerdesc.Parse(d.text); d.err == nil {
			d.goodKey = ed25519x.IsKey(d.router.Ed25519)
		}
	default:
		d.extra, d.err = extrainfo.Parse(d.text)
	}
}

// isUnspecified tells whether a router descriptor gives 0.0.0.0 as its address, which makes it malformed for us and a private
// address for C tor.
func (d *document) isUnspecified() bool {
	line, _, _ := bytes.Cut(d.text, []byte("\n"))
	words := bytes.Fields(line)
	return errors.Is(d.err, routerdesc.ErrAddress) && len(words) > 2 && string(words[2]) == "0.0.0.0"
}

func isText(body []byte) bool { return utf8.Valid(body) && !bytes.HasPrefix(body, byteOrder) }

func hashOf(text []byte) [32]byte { return sha256.Sum256(text) }
