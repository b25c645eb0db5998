package dirsig

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
)

const descriptorPrefix = "Tor router descriptor signature v1"

// SignDescriptor makes the signature of a router descriptor or extra-info document with an Ed25519 signing key. text is
// the document up to and including the space after "router-sig-ed25519".
//
// https://spec.torproject.org/dir-spec/server-descriptor-format.html#item:router-sig-ed25519
func SignDescriptor(key crypto.Signer, text []byte) ([]byte, error) {
	digest := descriptorDigest(text)
	sig, err := key.Sign(nil, digest[:], crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("router-sig-ed25519: %w", err)
	}
	return sig, nil
}

// VerifyDescriptor checks what SignDescriptor makes.
func VerifyDescriptor(pub [32]byte, text, sig []byte) error {
	digest := descriptorDigest(text)
	if !ed25519.Verify(pub[:], digest[:], sig) {
		return fmt.Errorf("router-sig-ed25519: %w", ErrSignature)
	}
	return nil
}

func descriptorDigest(text []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte(descriptorPrefix))
	h.Write(text)
	return [sha256.Size]byte(h.Sum(nil))
}
