package netdoc

import (
	"encoding/base64"
	"fmt"
)

// An Object is the block after a keyword line, between -----BEGIN and -----END. Its slices alias the document.
type Object struct {
	Tag  []byte // such as "RSA PUBLIC KEY"; nil if the item has no object
	Text []byte // base64 in lines, not yet decoded
}

// Append decodes the object and appends it to dst. The tag must be as given and the decoded length within least and most.
func (o Object) Append(dst []byte, tag string, least, most int) ([]byte, error) {
	if o.Tag == nil {
		return dst, fmt.Errorf("object: %w", ErrMissing)
	}
	if string(o.Tag) != tag {
		return dst, fmt.Errorf("object is no %s: %w", tag, ErrBadObject)
	}
	// Every 65th byte of an object is a newline, so this is hardly too much; and text is bounded by MaxObjectLen.
	text := o.Text
	if bound := base64.StdEncoding.EncodedLen(most); len(text) > bound+bound/2+2 {
		return dst, fmt.Errorf("object %s: %w", tag, ErrTooLong)
	}
	start := len(dst)
	dst = append(dst, make([]byte, base64.StdEncoding.DecodedLen(len(text)))...)
	n, err := base64.StdEncoding.Decode(dst[start:], text)
	if err != nil {
		return dst[:start], fmt.Errorf("object %s: base64: %w", tag, ErrBadObject)
	}
	if n < least || n > most {
		return dst[:start], fmt.Errorf("object %s of %d bytes: %w", tag, n, ErrBadObject)
	}
	return dst[:start+n], nil
}

// Decode is Append to nothing.
func (o Object) Decode(tag string, least, most int) ([]byte, error) {
	return o.Append(nil, tag, least, most)
}
