package microdesc

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// The consensus methods for which Source can be written.
const (
	MinMethod       = 32
	MaxMethod       = 35
	methodFamilyIDs = 35 // family-ids came with it
)

// Source is what an authority knows of a relay, from the relay's descriptor.
type Source struct {
	OnionKey  []byte // TAP key in DER; a relay without one gets no microdescriptor
	Ntor      [32]byte
	RSA       [20]byte // fingerprint
	Ed25519   [32]byte // identity, if HasEd
	HasEd     bool
	Family    []string // as in the descriptor
	FamilyIDs []string // sorted, each once
	Policy4   exitpolicy.Summary
	Policy6   exitpolicy.Summary
}

// Make writes the microdescriptor for a consensus method. Authorities must agree on every byte.
//
// https://spec.torproject.org/dir-spec/computing-microdescriptors.html
func (s *Source) Make(method int) ([]byte, error) {
	if method < MinMethod || method > MaxMethod {
		return nil, fmt.Errorf("%d: %w", method, ErrMethod)
	}
	if err := rsakey.CheckDER(s.OnionKey, rsakey.RelayBits, rsakey.RelayBits); err != nil {
		return nil, fmt.Errorf("onion-key: %w", err)
	}
	e := netdoc.NewEncoder(nil)
	e.Item(kwOnionKey).Object(rsakey.Tag, s.OnionKey)
	e.Item("ntor-onion-key").Base64(s.Ntor[:])
	if len(s.Family) > 0 {
		e.Item("family").Rest(CanonicalFamily(s.Family, s.RSA))
	}
	if method >= methodFamilyIDs && len(s.FamilyIDs) > 0 {
		e.Item("family-ids").Rest(strings.Join(s.FamilyIDs, " "))
	}
	if !s.Policy4.RejectsAll() {
		e.Item("p").Rest(s.Policy4.String())
	}
	if !s.Policy6.RejectsAll() {
		e.Item("p6").Rest(s.Policy6.String())
	}
	if s.HasEd {
		e.Item("id", "ed25519").Base64(s.Ed25519[:])
	} else {
		e.Item("id", "rsa1024", base64.RawStdEncoding.EncodeToString(s.RSA[:]))
	}
	return e.Bytes()
}
