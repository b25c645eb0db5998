package dircache

import (
	"github.com/tropea-net/tropea/internal/lib/compress"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// A blob is an immutable document together with its compressed forms.
type blob struct {
	forms [dirhttp.Unknown][]byte // by encoding; Identity is always there
	tried dirhttp.Encodings       // those that were made, or cannot be
}

func newBlob(doc []byte) *blob {
	b := &blob{tried: dirhttp.Encodings(0).With(dirhttp.Identity)}
	b.forms[dirhttp.Identity] = doc
	return b
}

// precompressed is what an answer out of forms made beforehand prefers, in the order of C tor
// (srv_meth_pref_precompressed), and onTheFly what one that is compressed for the request does. Who takes gzip and nothing
// else gets a precompressed document plain: nobody in the network does.
var (
	precompressed = []dirhttp.Encoding{dirhttp.LZMA, dirhttp.Zstd, dirhttp.Deflate, dirhttp.Gzip, dirhttp.Identity}
	onTheFly      = []dirhttp.Encoding{dirhttp.Zstd, dirhttp.Deflate, dirhttp.Gzip, dirhttp.Identity}
)

// best returns the preferred form that the client accepts.
func (b *blob) best(accept dirhttp.Encodings) (dirhttp.Encoding, []byte) {
	for _, e := range precompressed {
		if accept.Has(e) && b.forms[e] != nil {
			return e, b.forms[e]
		}
	}
	return dirhttp.Identity, b.forms[dirhttp.Identity]
}

// missing returns the first encoding of the list that was not tried.
func (b *blob) missing(order []dirhttp.Encoding) (dirhttp.Encoding, bool) {
	for _, e := range order {
		if !b.tried.Has(e) {
			return e, true
		}
	}
	return 0, false
}

// with returns a copy with another form. A nil form says that it cannot be made.
func (b *blob) with(e dirhttp.Encoding, form []byte) *blob {
	out := *b
	out.forms[e], out.tried = form, b.tried.With(e)
	return &out
}

// compressBest makes a form, nil if that is not possible.
func compressBest(e dirhttp.Encoding, doc []byte) []byte {
	m, ok := compress.MethodByName(e.String())
	if !ok {
		return nil
	}
	form, err := compress.Encode(m, doc, compress.Best)
	if err != nil {
		return nil // a bomb to its receiver: plain, then
	}
	return form
}
