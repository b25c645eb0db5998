package hsntor

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha3"
	"encoding/binary"

	"github.com/tropea-net/tropea/internal/crypt/kdf"
)

// Strings that keep the uses of the hash apart.
const (
	protoID   = "tor-hs-ntor-curve25519-sha3-256-1"
	tHSEnc    = protoID + ":hs_key_extract"
	tHSVerify = protoID + ":hs_verify"
	tHSMAC    = protoID + ":hs_mac"
	mHSExpand = protoID + ":hs_key_expand"
)

const macLen = 32

// mac is MAC of the specification.
func mac(key []byte, parts ...[]byte) [macLen]byte {
	h := sha3.New256()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(key))))
	h.Write(key)
	for _, p := range parts {
		h.Write(p)
	}
	return [macLen]byte(h.Sum(nil))
}

// expand is KDF of the specification: the first n bytes.
func expand(n int, parts ...[]byte) []byte {
	x := sha3.NewSHAKE256()
	for _, p := range parts {
		x.Write(p)
	}
	out := make([]byte, n)
	x.Read(out)
	return out
}

// introKeys protect an introduction.
type introKeys struct {
	enc [32]byte // AES-256
	mac [32]byte
}

// intro is what both ends of an introduction know, in the names of the specification. Bx is secret.
type intro struct {
	Bx, authKey, X, B [32]byte
}

func (in *intro) keys(subcredential [32]byte) introKeys {
	out := expand(64, in.Bx[:], in.authKey[:], in.X[:], in.B[:], []byte(protoID), []byte(tHSEnc), []byte(mHSExpand), subcredential[:])
	defer clear(out)
	return introKeys{[32]byte(out), [32]byte(out[32:])}
}

// crypt encrypts or decrypts in place. The key is used once.
func (k *introKeys) crypt(text []byte) {
	block, err := aes.NewCipher(k.enc[:])
	if err != nil {
		panic("hsntor: " + err.Error()) // only a wrong length is an error
	}
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(text, text)
}

// rend is what both ends of a rendezvous know, in the names of the specification. Xy and Xb are secret.
type rend struct {
	Xy, Xb, authKey, B, X, Y [32]byte
}

// derive computes the service's proof and the keys.
func (r *rend) derive() (auth [32]byte, keys *kdf.Keys) {
	in := make([]byte, 0, 6*32+len(protoID))
	for _, part := range [][]byte{r.Xy[:], r.Xb[:], r.authKey[:], r.B[:], r.X[:], r.Y[:], []byte(protoID)} {
		in = append(in, part...)
	}
	seed := mac(in, []byte(tHSEnc))
	verify := mac(in, []byte(tHSVerify))
	clear(in)
	authIn := make([]byte, 0, 5*32+len(protoID)+len("Server"))
	for _, part := range [][]byte{verify[:], r.authKey[:], r.B[:], r.Y[:], r.X[:], []byte(protoID + "Server")} {
		authIn = append(authIn, part...)
	}
	auth = mac(authIn, []byte(tHSMAC))
	clear(authIn)
	clear(verify[:])
	return auth, kdf.NewKeys(seed[:], func(seed []byte, n int) []byte { return expand(n, seed, []byte(mHSExpand)) })
}

func (r *rend) wipe() {
	clear(r.Xy[:])
	clear(r.Xb[:])
}
