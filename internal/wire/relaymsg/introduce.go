package relaymsg

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tropea-net/tropea/internal/wire/circext"
)

// Introduce is the body of INTRODUCE1, from a client to an introduction point, and of INTRODUCE2, which takes the same
// bytes on to the service.
//
//	zeros 20 | key type 1 | length 2 | key 32 | list of extensions | encrypted, to the end
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
type Introduce struct {
	AuthKey   [32]byte // which introduction point of which service
	Exts      circext.List
	Encrypted []byte // for the service: see IntroducePlaintext
}

// ParseIntroduce parses the body of an INTRODUCE1 or INTRODUCE2 message. An introduction point answers an error with
// IntroduceBadFormat. More than MaxHSBody bytes are an error in any format: the answer must not tell which format the
// service's circuit has. So are the messages of the onion services of old, which have a key instead of the zeros.
func ParseIntroduce(body []byte) (m Introduce, err error) {
	if len(body) > MaxHSBody {
		return Introduce{}, fmt.Errorf("introduction: %w", ErrTooLong)
	}
	s := cryptobyte.String(body)
	var legacyKeyID [20]byte
	if !s.CopyBytes(legacyKeyID[:]) {
		return Introduce{}, fmt.Errorf("introduction: %w", ErrTruncated)
	}
	if legacyKeyID != [20]byte{} {
		return Introduce{}, fmt.Errorf("introduction of a version 2 service: %w", ErrVersion)
	}
	if m.AuthKey, err = readAuthKey(&s); err != nil {
		return Introduce{}, fmt.Errorf("introduction %w", err)
	}
	if m.Exts, err = circext.Read(&s); err != nil {
		return Introduce{}, fmt.Errorf("introduction %w", err)
	}
	if s.Empty() {
		return Introduce{}, fmt.Errorf("introduction encrypted part: %w", ErrTruncated)
	}
	m.Encrypted = s
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m Introduce) AppendTo(dst []byte) ([]byte, error) {
	start := len(dst)
	var legacyKeyID [20]byte
	dst = append(dst, legacyKeyID[:]...)
	dst, err := m.Exts.AppendTo(appendAuthKey(dst, m.AuthKey))
	if err != nil {
		return nil, fmt.Errorf("introduction %w", err)
	}
	if dst = append(dst, m.Encrypted...); len(dst)-start > MaxHSBody {
		return nil, fmt.Errorf("introduction: %w", ErrTooLong)
	}
	return dst, nil
}
