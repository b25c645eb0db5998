package kdf

import (
	"crypto/sha1"
	"crypto/subtle"
	"errors"
	"fmt"
)

// ErrAuth says that a CREATED_FAST cell does not prove that its sender knows the keys.
var ErrAuth = errors.New("wrong key hash")

// Tor returns the first n bytes of KDF-TOR, at most 5120: H(k0 | 0) | H(k0 | 1) | ...
//
// https://spec.torproject.org/tor-spec/setting-circuit-keys.html#kdf-tor
func Tor(k0 []byte, n int) []byte {
	if n > 256*sha1.Size {
		panic("kdf: KDF-TOR ends after 256 blocks")
	}
	in := append(append(make([]byte, 0, len(k0)+1), k0...), 0)
	out := make([]byte, 0, n+sha1.Size-1)
	for i := 0; len(out) < n; i++ {
		in[len(k0)] = byte(i)
		block := sha1.Sum(in)
		out = append(out, block[:]...)
	}
	clear(in)
	return out[:n]
}

// Fast does the responder's side of CREATE_FAST: x came in the CREATE_FAST cell, y is fresh randomness. The answer is y
// and kh. It proves nothing to anybody who can see the cells: the link protects them.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html#create_fast
func Fast(x, y [20]byte) (kh [KHLen]byte, keys *Keys) {
	keys = &Keys{seed: append(x[:], y[:]...), stream: Tor, khFirst: true}
	_, kh = keys.Circuit(0)
	return kh, keys
}

// FinishFast does the initiator's side of CREATE_FAST: x went out, y and kh came in the CREATED_FAST cell.
func FinishFast(x, y [20]byte, kh [KHLen]byte) (*Keys, error) {
	want, keys := Fast(x, y)
	if subtle.ConstantTimeCompare(want[:], kh[:]) != 1 {
		return nil, fmt.Errorf("CREATED_FAST: %w", ErrAuth)
	}
	return keys, nil
}
