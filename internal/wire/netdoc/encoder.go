package netdoc

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// TimeLayout is the form of times in documents, always UTC.
const TimeLayout = "2006-01-02 15:04:05"

// An Encoder writes a document. Item begins a line, the methods after it add arguments, and whatever comes next ends it:
//
//	e := netdoc.NewEncoder(nil)
//	e.Item("router", nick).Str(addr).Uint(9001)
//	e.Item("published").Time(now)
//	e.Item("signing-key").Object("RSA PUBLIC KEY", der)
//	doc, err := e.Bytes()
//
// The first text that would break out of its line or argument is the error that Bytes returns.
type Encoder struct {
	buf  []byte
	open bool // the last line lacks its newline
	err  error
}

// NewEncoder appends to dst.
func NewEncoder(dst []byte) *Encoder { return &Encoder{buf: dst} }

// Bytes ends the line and returns all that has been written, dst of NewEncoder included.
// More can be written afterwards: signatures cover what Bytes returns up to then.
func (e *Encoder) Bytes() ([]byte, error) {
	e.endLine()
	return e.buf, e.err
}

func (e *Encoder) endLine() {
	if e.open {
		e.buf = append(e.buf, '\n')
		e.open = false
	}
}

func (e *Encoder) fail(what string, err error) {
	if e.err == nil {
		e.err = fmt.Errorf("%.32q: %w", what, err)
	}
}

// Item begins an item.
func (e *Encoder) Item(keyword string, args ...string) *Encoder {
	e.endLine()
	e.open = true
	if _, rest, err := splitLine([]byte(keyword)); err != nil || len(rest) > 0 || keyword == "opt" {
		e.fail(keyword, ErrBadKeyword)
	}
	e.buf = append(e.buf, keyword...)
	for _, arg := range args {
		e.Str(arg)
	}
	return e
}

// Str adds one argument, which has no space in it.
func (e *Encoder) Str(arg string) *Encoder {
	if arg == "" || strings.ContainsAny(arg, " \t\n\r\x00") {
		e.fail(arg, ErrUnsafe)
	}
	e.buf = append(e.buf, ' ')
	e.buf = append(e.buf, arg...)
	return e
}

// Rest adds what is left of the line as one text, spaces included. Empty text leaves a space, as C tor's lists do.
func (e *Encoder) Rest(text string) *Encoder {
	if strings.ContainsAny(text, "\n\r\x00") {
		e.fail(text, ErrUnsafe)
	}
	e.buf = append(e.buf, ' ')
	e.buf = append(e.buf, text...)
	return e
}

// Uint adds a decimal number.
func (e *Encoder) Uint(n uint64) *Encoder {
	e.buf = strconv.AppendUint(append(e.buf, ' '), n, 10)
	return e
}

// KeyInt adds a pair, key=n.
func (e *Encoder) KeyInt(key string, n int64) *Encoder {
	e.Str(key)
	e.buf = strconv.AppendInt(append(e.buf, '='), n, 10)
	return e
}

// Time adds two arguments, date and time of day.
func (e *Encoder) Time(t time.Time) *Encoder {
	e.buf = t.UTC().AppendFormat(append(e.buf, ' '), TimeLayout)
	return e
}

// Hex adds upper-case hexadecimal digits, the form of fingerprints.
func (e *Encoder) Hex(b []byte) *Encoder {
	e.buf = AppendHex(append(e.buf, ' '), b)
	return e
}

// Base64 adds base64 without padding.
func (e *Encoder) Base64(b []byte) *Encoder {
	e.buf = base64.RawStdEncoding.AppendEncode(append(e.buf, ' '), b)
	return e
}

// PaddedBase64 adds base64 with padding.
func (e *Encoder) PaddedBase64(b []byte) *Encoder {
	e.buf = base64.StdEncoding.AppendEncode(append(e.buf, ' '), b)
	return e
}

// Keyed adds a prefix, such as "sha256=", and base64 without padding as one argument.
func (e *Encoder) Keyed(prefix string, b []byte) *Encoder {
	e.Str(prefix)
	e.buf = base64.RawStdEncoding.AppendEncode(e.buf, b)
	return e
}

// Object adds an object to the item, its base64 in lines of 64.
func (e *Encoder) Object(tag string, body []byte) {
	e.endLine()
	if _, ok := cutTag([]byte("-----BEGIN "+tag+"-----"), beginMark); !ok {
		e.fail(tag, ErrUnsafe)
	}
	e.buf = append(append(append(e.buf, beginMark...), tag...), "-----\n"...)
	for ; len(body) > 0; body = body[min(len(body), 48):] {
		e.buf = base64.StdEncoding.AppendEncode(e.buf, body[:min(len(body), 48)])
		e.buf = append(e.buf, '\n')
	}
	e.buf = append(append(append(e.buf, endMark...), tag...), "-----\n"...)
}

// Document adds a whole document or several items, as a vote embeds a certificate. The text must be well formed: begin
// at a keyword, end with a newline, and be free of NUL and carriage return.
func (e *Encoder) Document(text []byte) {
	e.endLine()
	s := NewScanner(text, Options{Annotations: true})
	for s.Next() {
	}
	if s.Err() != nil {
		e.fail("document", s.Err())
	}
	e.buf = append(e.buf, text...)
}

// AppendHex appends upper-case hexadecimal digits.
func AppendHex(dst, b []byte) []byte {
	start := len(dst)
	dst = hex.AppendEncode(dst, b)
	for i := start; i < len(dst); i++ {
		if dst[i] >= 'a' {
			dst[i] -= 'a' - 'A'
		}
	}
	return dst
}
