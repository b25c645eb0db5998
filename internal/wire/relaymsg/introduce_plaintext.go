package relaymsg

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
)

// onionKeyNTor is the one type of onion key in an introduction.
const onionKeyNTor = 1

// IntroducePlaintext is what a client tells the service in an introduction: where to meet.
//
//	cookie 20 | list of extensions | onion key type 1 | length 2 | onion key 32 | list of link specifiers | padding
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
type IntroducePlaintext struct {
	Cookie   [20]byte // of the rendezvous
	Exts     circext.List
	OnionKey [32]byte        // ntor key of the rendezvous point
	Specs    []linkspec.Spec // of the rendezvous point, to be sent on as they are
}

// ParseIntroducePlaintext parses the decrypted part of an introduction.
func ParseIntroducePlaintext(b []byte) (m IntroducePlaintext, err error) {
	s := cryptobyte.String(b)
	if !s.CopyBytes(m.Cookie[:]) {
		return IntroducePlaintext{}, fmt.Errorf("introduction cookie: %w", ErrTruncated)
	}
	if m.Exts, err = circext.Read(&s); err != nil {
		return IntroducePlaintext{}, fmt.Errorf("introduction %w", err)
	}
	var typ uint8
	var key cryptobyte.String
	if !s.ReadUint8(&typ) || !s.ReadUint16LengthPrefixed(&key) {
		return IntroducePlaintext{}, fmt.Errorf("introduction onion key: %w", ErrTruncated)
	}
	if typ != onionKeyNTor || len(key) != len(m.OnionKey) {
		return IntroducePlaintext{}, fmt.Errorf("introduction onion key of type %d with %d bytes: %w", typ, len(key), ErrMalformed)
	}
	m.OnionKey = [32]byte(key)
	if m.Specs, err = linkspec.ParseList(&s); err != nil {
		return IntroducePlaintext{}, fmt.Errorf("introduction %w", err)
	}
	return m, nil
}

// AppendTo appends m to dst, without padding.
func (m IntroducePlaintext) AppendTo(dst []byte) ([]byte, error) {
	dst, err := m.Exts.AppendTo(append(dst, m.Cookie[:]...))
	if err != nil {
		return nil, fmt.Errorf("introduction %w", err)
	}
	dst = append(dst, onionKeyNTor)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.OnionKey)))
	dst = append(dst, m.OnionKey[:]...)
	if dst, err = linkspec.AppendList(dst, m.Specs); err != nil {
		return nil, fmt.Errorf("introduction %w", err)
	}
	return dst, nil
}
