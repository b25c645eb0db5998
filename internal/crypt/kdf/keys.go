package kdf

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
)

// KHLen is the length of KH, in bytes.
const KHLen = 20

// Keys is what a finished handshake gives: a stream of bytes that both ends can compute.
type Keys struct {
	seed    []byte
	stream  func(seed []byte, n int) []byte
	khFirst bool
}

// NewKeys makes Keys of a seed, which it takes, and a function that gives the first n bytes of the stream.
func NewKeys(seed []byte, stream func(seed []byte, n int) []byte) *Keys {
	return &Keys{seed: seed, stream: stream}
}

// NewHKDF makes Keys whose stream is HKDF-SHA256-Expand with seed, which it takes, as its key. The stream is 8160 bytes
// long.
//
// https://spec.torproject.org/tor-spec/setting-circuit-keys.html#kdf-rfc5869
func NewHKDF(seed []byte, info string) *Keys {
	return NewKeys(seed, func(seed []byte, n int) []byte {
		out, err := hkdf.Expand(sha256.New, seed, info, n)
		if err != nil {
			panic("kdf: " + err.Error()) // too many bytes wanted
		}
		return out
	})
}

// Expand returns the first n bytes of the stream.
func (k *Keys) Expand(n int) []byte { return k.stream(k.seed, n) }

// Circuit returns n bytes of material for the relay encryption of a hop, and KH, 20 bytes that stand for the handshake:
// an introduction point wants to see them authenticated. KH follows the material, except in CREATE_FAST.
func (k *Keys) Circuit(n int) (material []byte, kh [KHLen]byte) {
	all := k.Expand(n + KHLen)
	if k.khFirst {
		return all[KHLen:], [KHLen]byte(all)
	}
	return all[:n:n], [KHLen]byte(all[n:])
}

// Wipe forgets the seed. Keys is not usable after that.
func (k *Keys) Wipe() { clear(k.seed) }

// Format prints no key, whatever the verb.
func (k Keys) Format(f fmt.State, _ rune) { io.WriteString(f, "[keys]") }
