package keypin

import (
	"bytes"
	"encoding/base64"
	"errors"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// MaxLen bounds a journal, in bytes: some two million pins. ErrTooLong tells of a longer one.
const MaxLen = 128 << 20

// ErrTooLong says that a journal is longer than MaxLen.
var ErrTooLong = errors.New("key-pinning journal is too long")

// Length of the identities in base64.
const (
	rsaLen     = 27
	ed25519Len = 43
)

// Pin is a pair of identities.
type Pin struct {
	RSA     [20]byte
	Ed25519 [32]byte
}

// AppendTo appends the line of the journal.
func (p Pin) AppendTo(dst []byte) []byte {
	dst = append(base64.RawStdEncoding.AppendEncode(dst, p.RSA[:]), ' ')
	return append(base64.RawStdEncoding.AppendEncode(dst, p.Ed25519[:]), '\n')
}

// AppendOpened appends what goes before the first line of a run. The last run may have left a torn line, so it begins with a
// line end.
func AppendOpened(dst []byte, now time.Time) []byte {
	return append(now.UTC().AppendFormat(append(dst, "\n@opened-at "...), netdoc.TimeLayout), '\n')
}

func parsePin(line []byte) (p Pin, ok bool) {
	if len(line) != rsaLen+1+ed25519Len || line[rsaLen] != ' ' {
		return p, false
	}
	ok = netdoc.ParseBase64(p.RSA[:], line[:rsaLen]) == nil && netdoc.ParseBase64(p.Ed25519[:], line[rsaLen+1:]) == nil
	return p, ok
}

// Loaded counts what a journal had.
type Loaded struct {
	Pins       int // lines
	Corrupt    int // malformed lines, left out
	Duplicates int // pins that were there already
	Conflicts  int // pins that contradicted earlier ones, and replaced them
}

// Load reads a journal. Later pins replace earlier ones that they contradict.
func Load(journal []byte) (*Pins, Loaded, error) {
	p := New()
	var n Loaded
	if len(journal) > MaxLen {
		return p, n, ErrTooLong
	}
	for line := range bytes.Lines(journal) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(bytes.TrimSpace(line)) == 0 || line[0] == '@' || line[0] == '#' {
			continue
		}
		pin, ok := parsePin(line)
		if !ok {
			n.Corrupt++
			continue
		}
		n.Pins++
		switch p.Check(pin) {
		case Found:
			n.Duplicates++
			continue
		case Mismatch:
			n.Conflicts++
		}
		p.put(pin)
	}
	return p, n, nil
}
