package vanity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// MaxPrefix is the length of the longest prefix, in letters. The 50th has the sign of x, which a search does not compute.
const MaxPrefix = 49

// Errors about prefixes.
var (
	ErrPrefix = errors.New("not the beginning of an onion address")
	ErrNone   = errors.New("no prefix")
)

const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

// A Matcher knows the prefixes that are wanted.
type Matcher struct {
	patterns []pattern
}

// pattern is a prefix in bits: of the first 8 bytes of a key as one number, and of all.
type pattern struct {
	text       string
	head, mask uint64
	want, care [32]byte
}

// Compile makes a Matcher of prefixes, in letters of either case. One that begins with another one adds nothing and is dropped.
func Compile(prefixes ...string) (*Matcher, error) {
	m := new(Matcher)
	for i, text := range prefixes {
		p, err := compile(strings.ToLower(text))
		if err != nil {
			return nil, fmt.Errorf("prefix %q: %w", text, err)
		}
		covered := false
		for j, other := range prefixes {
			other = strings.ToLower(other)
			covered = covered || strings.HasPrefix(p.text, other) && (len(other) < len(p.text) || j < i)
		}
		if !covered {
			m.patterns = append(m.patterns, p)
		}
	}
	if len(m.patterns) == 0 {
		return nil, ErrNone
	}
	return m, nil
}

func compile(text string) (p pattern, err error) {
	if text == "" || len(text) > MaxPrefix {
		return p, fmt.Errorf("%w: it must have 1 to %d letters", ErrPrefix, MaxPrefix)
	}
	p.text = text
	for i, c := range []byte(text) {
		v := strings.IndexByte(alphabet, c)
		if v < 0 {
			return p, fmt.Errorf("%w: %q does not occur there, only a to z and 2 to 7 do", ErrPrefix, c)
		}
		for j := range 5 {
			bit := 5*i + j
			p.care[bit/8] |= 0x80 >> (bit % 8)
			if v&(0x10>>j) != 0 {
				p.want[bit/8] |= 0x80 >> (bit % 8)
			}
		}
	}
	p.head, p.mask = binary.BigEndian.Uint64(p.want[:]), binary.BigEndian.Uint64(p.care[:])
	return p, nil
}

// Match returns the prefix that the address of a key begins with, or "". The sign bit of the key does not matter.
func (m *Matcher) Match(key []byte) string {
	head := binary.BigEndian.Uint64(key)
	for i := range m.patterns {
		if p := &m.patterns[i]; head&p.mask == p.head && p.matches(key) {
			return p.text
		}
	}
	return ""
}

func (p *pattern) matches(key []byte) bool {
	for i, care := range p.care {
		if key[i]&care != p.want[i] {
			return false
		}
	}
	return true
}

// Prefixes are those that count.
func (m *Matcher) Prefixes() (texts []string) {
	for _, p := range m.patterns {
		texts = append(texts, p.text)
	}
	return texts
}

// Tries is how many keys must be tried on average.
func (m *Matcher) Tries() float64 {
	chance := 0.0
	for _, p := range m.patterns {
		chance += math.Exp2(-5 * float64(len(p.text)))
	}
	return 1 / chance
}
