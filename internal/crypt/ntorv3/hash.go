package ntorv3

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha3"
	"encoding/binary"
)

// Strings that keep the uses of the hash apart.
const (
	protoID   = "ntor3-curve25519-sha3_256-1"
	tPhase1   = protoID + ":kdf_phase1"
	tMsgMAC   = protoID + ":msg_mac"
	tKeySeed  = protoID + ":key_seed"
	tVerify   = protoID + ":verify"
	tKDFFinal = protoID + ":kdf_final"
	tAuth     = protoID + ":auth_final"
)

// encap appends s with its length before it, in 8 bytes: no two lists of strings then look the same.
func encap[S ~string | ~[]byte](dst []byte, s S) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(len(s))), s...)
}

// hash is H of the specification for one purpose.
func hash(purpose string, parts ...[]byte) [32]byte {
	h := sha3.New256()
	h.Write(encap(nil, purpose))
	for _, p := range parts {
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}

// expand is KDF of the specification for one purpose: the first n bytes.
func expand(purpose string, in []byte, n int) []byte {
	x := sha3.NewSHAKE256()
	x.Write(encap(nil, purpose))
	x.Write(in)
	out := make([]byte, n)
	x.Read(out)
	return out
}

// crypt encrypts or decrypts a message. Its key is used once.
func crypt(key, msg []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("ntorv3: " + err.Error()) // only a wrong length is an error
	}
	out := make([]byte, len(msg))
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(out, msg)
	return out
}
