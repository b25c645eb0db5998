package statedoc

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// vanguardKey is a key of our own. C tor keeps what it does not know.
const vanguardKey = "TropeaVanguard"

// Vanguard is a line "TropeaVanguard": a relay that is kept as a second or third hop of circuits to and from onion services.
//
//	TropeaVanguard layer=2 rsa_id=0123456789ABCDEF0123456789ABCDEF01234567 expires=2026-01-31T12:00:00
type Vanguard struct {
	Layer   int // 2 or 3
	RSA     [20]byte
	Expires time.Time
}

// ParseVanguard parses the value of such a line. Fields that it does not know are left out.
func ParseVanguard(line string) (v Vanguard, err error) {
	for field := range strings.FieldsSeq(line) {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "layer":
			v.Layer = parseIndex(value)
		case "rsa_id":
			id, err := hex.DecodeString(value)
			if err != nil || len(id) != len(v.RSA) {
				return Vanguard{}, fmt.Errorf("%s rsa_id: %w", vanguardKey, ErrSyntax)
			}
			copy(v.RSA[:], id)
		case "expires":
			v.Expires = parseTime(guardTime, value)
		}
	}
	switch {
	case v.Layer != 2 && v.Layer != 3:
		return Vanguard{}, fmt.Errorf("%s layer: %w", vanguardKey, ErrSyntax)
	case v.RSA == [20]byte{}:
		return Vanguard{}, fmt.Errorf("%s rsa_id: %w", vanguardKey, ErrMissing)
	case v.Expires.IsZero():
		return Vanguard{}, fmt.Errorf("%s expires: %w", vanguardKey, ErrSyntax)
	}
	return v, nil
}

// Encode returns the value of the line.
func (v Vanguard) Encode() string {
	return fmt.Sprintf("layer=%d rsa_id=%X expires=%s", v.Layer, v.RSA, v.Expires.UTC().Format(guardTime))
}

// Vanguards returns those of the document. Lines that are malformed come as errors; they stay in the document until
// SetVanguards.
func (d *Document) Vanguards() (list []Vanguard, errs []error) {
	for line := range d.All(vanguardKey) {
		v, err := ParseVanguard(line)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, v)
	}
	return list, errs
}

// SetVanguards replaces those of the document.
func (d *Document) SetVanguards(list []Vanguard) {
	lines := make([]string, len(list))
	for i, v := range list {
		lines[i] = v.Encode()
	}
	d.Set(vanguardKey, lines...)
}
