// Package approvedrouters reads the file "approved-routers", in which the operator of a directory authority says what it
// thinks of single relays.
//
//	# fell out of the sky
//	!reject 30C81762900F0BEF274E38DE65D46D876103F544
//	!badexit 3907674F2B7D82BD5F51298B2BB519D1E837530B
//	!middleonly A0mJ845ouM7cL0TwxHShPWDQ+KTK9FUdmgyecj6vm4M
//
// A relay is named by its fingerprint or its Ed25519 identity. Several lines about a relay add up.
package approvedrouters

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tropea-net/tropea/internal/lib/ed25519x"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Status is what the file says of a relay. The zero Status says nothing, or that the relay is known and good.
type Status uint8

// The parts of a status, and the words for them.
const (
	Reject     Status = 1 << iota // !reject: refuse its descriptors
	BadExit                       // !badexit
	Invalid                       // !invalid: no flag Valid
	MiddleOnly                    // !middleonly
	StripGuard                    // !stripguard: no flag Guard
	StripHSDir                    // !striphsdir: no flag HSDir
	StripV2Dir                    // !stripv2dir: no flag V2Dir
)

var words = map[string]Status{
	"!reject": Reject, "!badexit": BadExit, "!invalid": Invalid, "!middleonly": MiddleOnly,
	"!stripguard": StripGuard, "!striphsdir": StripHSDir, "!stripv2dir": StripV2Dir,
}

// Has tells whether s has all of want.
func (s Status) Has(want Status) bool { return s&want == want }

// List is what the file says. The zero List says nothing.
type List struct {
	rsa     map[[20]byte]Status
	ed25519 map[[32]byte]Status
}

// What is wrong with a line.
var (
	ErrIdentity = errors.New("neither a fingerprint of 40 digits nor an Ed25519 identity of 43 characters")
	ErrKey      = errors.New("no valid Ed25519 identity")
	ErrWord     = errors.New("unknown word")
)

// Parse reads the file, whose name is for the errors. A line that cannot be used is left out, and comes as a warning; text that
// is no list of lines is an error. Words that do not begin with an exclamation mark are nicknames, as older
// versions wanted them: they say nothing.
func Parse(name string, data []byte) (list *List, warnings []error, err error) {
	lines, err := torrc.Parse(name, string(data), nil)
	if err != nil {
		return nil, nil, err
	}
	list = &List{rsa: map[[20]byte]Status{}, ed25519: map[[32]byte]Status{}}
	for _, l := range lines {
		status, known := words[strings.ToLower(l.Key)]
		if !known && strings.HasPrefix(l.Key, "!") {
			warnings = append(warnings, l.Errorf("%w", ErrWord))
			continue
		}
		if err := list.add(strings.ReplaceAll(l.Value, " ", ""), status); err != nil {
			warnings = append(warnings, l.Errorf("%w", err))
		}
	}
	return list, warnings, nil
}

func (l *List) add(identity string, status Status) error {
	var rsa [20]byte
	var ed [32]byte
	switch {
	case netdoc.ParseHex(rsa[:], []byte(identity)) == nil:
		l.rsa[rsa] |= status
	case len(identity) != 43 || netdoc.ParseBase64(ed[:], []byte(identity)) != nil:
		return fmt.Errorf("%.64q: %w", identity, ErrIdentity)
	case !ed25519x.IsKey(ed):
		return fmt.Errorf("%q: %w", identity, ErrKey)
	default:
		l.ed25519[ed] |= status
	}
	return nil
}

// Status is what the list says of a relay. The Ed25519 identity is zero for a relay without one.
func (l *List) Status(rsa [20]byte, ed [32]byte) Status { return l.rsa[rsa] | l.ed25519[ed] }

// Len is the number of identities in the list.
func (l *List) Len() int { return len(l.rsa) + len(l.ed25519) }
