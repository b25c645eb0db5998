package admit_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"io"

	"filippo.io/edwards25519"
)

// A torsionKey is an Ed25519 key with a part of small order in its public half. It finds signatures that hold all the same:
// one of eight tries does.
type torsionKey struct {
	scalar *edwards25519.Scalar
	public [32]byte
}

func newTorsionKey() *torsionKey {
	scalar := randomScalar()
	// A point of order 8.
	small := must(new(edwards25519.Point).SetBytes([]byte("\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05")))
	public := new(edwards25519.Point).ScalarBaseMult(scalar)
	return &torsionKey{scalar, [32]byte(public.Add(public, small).Bytes())}
}

func (k *torsionKey) Public() crypto.PublicKey { return ed25519.PublicKey(k.public[:]) }

func (k *torsionKey) Sign(_ io.Reader, msg []byte, _ crypto.SignerOpts) ([]byte, error) {
	for {
		r := randomScalar()
		sig := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
		sum := sha512.Sum512(join(sig, k.public[:], msg))
		h := must(new(edwards25519.Scalar).SetUniformBytes(sum[:]))
		sig = append(sig, new(edwards25519.Scalar).MultiplyAdd(h, k.scalar, r).Bytes()...)
		if ed25519.Verify(k.public[:], msg, sig) {
			return sig, nil
		}
	}
}

func randomScalar() *edwards25519.Scalar {
	var b [64]byte
	rand.Read(b[:])
	return must(new(edwards25519.Scalar).SetUniformBytes(b[:]))
}
