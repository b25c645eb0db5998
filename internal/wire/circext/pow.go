package circext

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// TypeProofOfWork is the type of the proof of work, in INTRODUCE1.
const TypeProofOfWork uint8 = 2

// powVersion is the only version: Equi-X.
const powVersion = 1

// ProofOfWork is a solved puzzle, which moves an introduction forward in the queue of a busy service.
//
//	version 1 | nonce 16 | effort 4 | head of the seed 4 | solution 16
//
// https://spec.torproject.org/hspow-spec/v1-equix.html
type ProofOfWork struct {
	Nonce    [16]byte
	Effort   uint32
	SeedHead [4]byte
	Solution [16]byte
}

// ParseProofOfWork parses the body of a proof of work. A version other than 1 is ErrVersion.
func ParseProofOfWork(body []byte) (m ProofOfWork, err error) {
	s := cryptobyte.String(body)
	var version uint8
	if !s.ReadUint8(&version) {
		return ProofOfWork{}, fmt.Errorf("proof of work: %w", ErrTruncated)
	}
	if version != powVersion {
		return ProofOfWork{}, fmt.Errorf("proof of work %d: %w", version, ErrVersion)
	}
	if !s.CopyBytes(m.Nonce[:]) || !s.ReadUint32(&m.Effort) || !s.CopyBytes(m.SeedHead[:]) || !s.CopyBytes(m.Solution[:]) {
		return ProofOfWork{}, fmt.Errorf("proof of work: %w", ErrTruncated)
	}
	return m, nil
}

// Extension is m as an extension.
func (m ProofOfWork) Extension() Extension {
	body := []byte{powVersion}
	body = append(body, m.Nonce[:]...)
	body = binary.BigEndian.AppendUint32(body, m.Effort)
	body = append(body, m.SeedHead[:]...)
	return Extension{Type: TypeProofOfWork, Body: append(body, m.Solution[:]...)}
}
