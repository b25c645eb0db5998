package relaymsg

import (
	"crypto/sha3"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tropea-net/tropea/internal/wire/circext"
)

// EstablishIntroPrefix comes before Signed under the signature of ESTABLISH_INTRO.
const EstablishIntroPrefix = "Tor establish-intro cell v1"

// EstablishIntro makes a relay an introduction point of an onion service.
//
//	key type 1 | length 2 | key 32 | list of extensions | MAC 32 | length 2 | signature 64
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
type EstablishIntro struct {
	AuthKey [32]byte
	Exts    circext.List
	MAC     [32]byte // HANDSHAKE_AUTH: SHA3-256 over all before it, with the KH of the circuit as its key
	Sig     [64]byte // by AuthKey, over EstablishIntroPrefix and all before the length of the signature

	// Signed is what the signature covers, as it was received; its last 32 bytes are MAC, and the others what MAC
	// covers. AppendTo makes its own.
	Signed []byte
}

// ParseEstablishIntro parses the body of an ESTABLISH_INTRO message. It checks neither MAC nor signature.
func ParseEstablishIntro(body []byte) (m EstablishIntro, err error) {
	s := cryptobyte.String(body)
	if m.AuthKey, err = readAuthKey(&s); err != nil {
		return EstablishIntro{}, fmt.Errorf("ESTABLISH_INTRO %w", err)
	}
	if m.Exts, err = circext.Read(&s); err != nil {
		return EstablishIntro{}, fmt.Errorf("ESTABLISH_INTRO %w", err)
	}
	if !s.CopyBytes(m.MAC[:]) {
		return EstablishIntro{}, fmt.Errorf("ESTABLISH_INTRO MAC: %w", ErrTruncated)
	}
	m.Signed = body[:len(body)-len(s)]
	var sig cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&sig) {
		return EstablishIntro{}, fmt.Errorf("ESTABLISH_INTRO signature: %w", ErrTruncated)
	}
	if len(sig) != len(m.Sig) {
		return EstablishIntro{}, fmt.Errorf("ESTABLISH_INTRO signature of %d bytes: %w", len(sig), ErrMalformed)
	}
	m.Sig = [64]byte(sig)
	return m, nil
}

// EstablishIntroMAC returns the MAC of what it covers: the fields before it.
func EstablishIntroMAC(kh [20]byte, covered []byte) (mac [32]byte) {
	h := sha3.New256()
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(kh)))
	h.Write(length[:])
	h.Write(kh[:])
	h.Write(covered)
	h.Sum(mac[:0])
	return mac
}

// AppendMACed appends what MAC covers: the fields before it.
func (m EstablishIntro) AppendMACed(dst []byte) ([]byte, error) {
	dst, err := m.Exts.AppendTo(appendAuthKey(dst, m.AuthKey))
	if err != nil {
		return nil, fmt.Errorf("ESTABLISH_INTRO %w", err)
	}
	return dst, nil
}

// AppendSigned appends what Sig covers, after EstablishIntroPrefix: the fields before the signature, MAC included.
func (m EstablishIntro) AppendSigned(dst []byte) ([]byte, error) {
	dst, err := m.AppendMACed(dst)
	if err != nil {
		return nil, err
	}
	return append(dst, m.MAC[:]...), nil
}

// AppendTo appends the body of m to dst.
func (m EstablishIntro) AppendTo(dst []byte) ([]byte, error) {
	dst, err := m.AppendSigned(dst)
	if err != nil {
		return nil, err
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Sig)))
	return append(dst, m.Sig[:]...), nil
}
