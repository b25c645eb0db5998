package hskeys

import (
	"crypto/sha512"
	"errors"
	"fmt"

	"filippo.io/edwards25519"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// ErrKey says that a key is no point of the curve.
var ErrKey = errors.New("not a valid Ed25519 key")

const (
	blindString  = "Derive temporary signing key\x00"
	blindNonce   = "key-blind"
	prefixString = "Derive temporary signing key hash input"
	basePoint    = "(15112221349535400772501151409588531511454012693041857206046113283949847762202, " +
		"46316835694926478169428394003475163141307993866256225615783033603165251855960)"
)

// blindingFactor is h of the specification, not yet clamped. Nobody uses the optional secret.
func blindingFactor(identity [32]byte, p Period) [32]byte {
	return hash([]byte(blindString), identity[:], []byte(basePoint), []byte(blindNonce), ints(p.Num, p.Minutes))
}

// BlindPublic returns the blinded key of an identity key in a time period. The key must be that of an address: package
// onionaddr lets no other through.
//
// https://spec.torproject.org/rend-spec/keyblinding-scheme.html
func BlindPublic(identity [32]byte, p Period) ([32]byte, error) {
	return blindPublic(identity, blindingFactor(identity, p))
}

func blindPublic(identity, factor [32]byte) ([32]byte, error) {
	point, err := new(edwards25519.Point).SetBytes(identity[:])
	if err != nil {
		return [32]byte{}, fmt.Errorf("identity key: %w", ErrKey)
	}
	return [32]byte(point.ScalarMult(clamp(factor), point).Bytes()), nil
}

// BlindSecret returns the blinded key pair of an identity key in a time period.
//
// https://spec.torproject.org/rend-spec/keyblinding-scheme.html
func BlindSecret(identity *keyfile.EdSecret, p Period) (*keyfile.EdSecret, error) {
	return blindSecret(identity, blindingFactor(identity.ID(), p))
}

func blindSecret(identity *keyfile.EdSecret, factor [32]byte) (*keyfile.EdSecret, error) {
	expanded, err := identity.Expanded()
	if err != nil {
		return nil, fmt.Errorf("identity key: %w", err)
	}
	defer clear(expanded[:])
	var wide [64]byte
	defer clear(wide[:])
	copy(wide[:], expanded[:32])
	a, err := new(edwards25519.Scalar).SetUniformBytes(wide[:])
	if err != nil {
		panic("hskeys: " + err.Error()) // only a wrong length is an error
	}
	copy(wide[:], a.Multiply(a, clamp(factor)).Bytes())
	prefix := sha512.Sum512(append([]byte(prefixString), expanded[32:]...))
	copy(wide[32:], prefix[:])
	return keyfile.EdFromExpanded(&wide)
}

func clamp(factor [32]byte) *edwards25519.Scalar {
	s, err := new(edwards25519.Scalar).SetBytesWithClamping(factor[:])
	if err != nil {
		panic("hskeys: " + err.Error()) // only a wrong length is an error
	}
	return s
}

// Subcredential is what one must know, beside the blinded key, to read the descriptor of a time period and to introduce oneself.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html
func Subcredential(identity, blinded [32]byte) [32]byte {
	credential := hash([]byte("credential"), identity[:])
	return hash([]byte("subcredential"), credential[:], blinded[:])
}
