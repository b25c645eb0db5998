package tally

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// A Microdesc is the text of a microdescriptor and where it is valid.
type Microdesc struct {
	vote.Microdesc
	Text []byte
}

// Microdescs makes the microdescriptors of a relay for all consensus methods that we know: one for each run of methods in
// which the text is the same, in the order in which a vote lists them. A relay whose descriptor has no TAP key gets none.
//
// https://spec.torproject.org/dir-spec/computing-microdescriptors.html
func Microdescs(d *routerdesc.Descriptor) ([]Microdesc, error) {
	src := microdesc.Source{
		OnionKey: d.OnionKey, Ntor: d.Ntor, RSA: d.RSA, Ed25519: d.Ed25519, HasEd: true, Family: d.Family, FamilyIDs: d.FamilyIDs,
		Policy4: d.Policy.Summarize(false), Policy6: d.Policy6,
	}
	var list []Microdesc
	for method := MinMethod; method <= MaxMethod; method++ {
		text, err := src.Make(method)
		if err != nil {
			return nil, fmt.Errorf("microdescriptor: %w", err)
		}
		if last := len(list) - 1; last >= 0 && bytes.Equal(list[last].Text, text) {
			list[last].Methods |= 1 << method
		} else {
			list = append(list, Microdesc{vote.Microdesc{Methods: 1 << method, Digest: sha256.Sum256(text)}, text})
		}
	}
	return list, nil
}
