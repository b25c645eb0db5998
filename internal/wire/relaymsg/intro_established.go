package relaymsg

import (
	"fmt"

	"github.com/tropea-net/tropea/internal/wire/circext"
)

// IntroEstablished is the answer to EstablishIntro.
//
//	list of extensions
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
type IntroEstablished struct {
	Exts circext.List
}

// ParseIntroEstablished parses the body of an INTRO_ESTABLISHED message.
func ParseIntroEstablished(body []byte) (m IntroEstablished, err error) {
	if m.Exts, err = circext.Parse(body); err != nil {
		return IntroEstablished{}, fmt.Errorf("INTRO_ESTABLISHED %w", err)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m IntroEstablished) AppendTo(dst []byte) ([]byte, error) {
	dst, err := m.Exts.AppendTo(dst)
	if err != nil {
		return nil, fmt.Errorf("INTRO_ESTABLISHED %w", err)
	}
	return dst, nil
}
