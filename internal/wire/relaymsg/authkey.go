package relaymsg

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// authKeyEd25519 is the one type of key, and of MAC, with which an onion service is known to its introduction points.
const authKeyEd25519 = 2

// readAuthKey takes "type 1 | length 2 | key 32" off s.
func readAuthKey(s *cryptobyte.String) (key [32]byte, err error) {
	var typ uint8
	var k cryptobyte.String
	switch {
	case !s.ReadUint8(&typ) || !s.ReadUint16LengthPrefixed(&k):
		return key, fmt.Errorf("authentication key: %w", ErrTruncated)
	case typ != authKeyEd25519 || len(k) != len(key):
		return key, fmt.Errorf("authentication key of type %d with %d bytes: %w", typ, len(k), ErrMalformed)
	}
	return [32]byte(k), nil
}

// appendAuthKey appends what readAuthKey reads.
func appendAuthKey(dst []byte, key [32]byte) []byte {
	dst = append(dst, authKeyEd25519)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(key)))
	return append(dst, key[:]...)
}
