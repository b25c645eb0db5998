package dirsig

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
)

// bare makes crypto/rsa leave out the name of the hash.
const bare = crypto.Hash(0)

// SignDigest signs a SHA-1 or SHA-256 digest.
func SignDigest(key *rsa.PrivateKey, digest []byte) ([]byte, error) {
	if err := checkDigest(digest); err != nil {
		return nil, err
	}
	return sign(key, digest)
}

// VerifyDigest checks a signature of a SHA-1 or SHA-256 digest. C tor's check_signature_token does the same, and allows
// bytes after the digest inside the signature; nobody makes such signatures.
func VerifyDigest(pub *rsa.PublicKey, digest, sig []byte) error {
	if err := checkDigest(digest); err != nil {
		return err
	}
	return verify(pub, digest, sig)
}

func checkDigest(digest []byte) error {
	if n := len(digest); n != sha1.Size && n != sha256.Size {
		return fmt.Errorf("%d bytes: %w", n, ErrDigest)
	}
	return nil
}

// SignOnionKeyCrosscert signs, with a TAP onion key, the identities of the relay that owns it. The keys are not used for
// handshakes any more; descriptors still have them.
//
// https://spec.torproject.org/dir-spec/server-descriptor-format.html#item:onion-key-crosscert
func SignOnionKeyCrosscert(onion *rsa.PrivateKey, id [20]byte, ed [32]byte) ([]byte, error) {
	return sign(onion, append(id[:], ed[:]...))
}

// VerifyOnionKeyCrosscert checks what SignOnionKeyCrosscert makes.
func VerifyOnionKeyCrosscert(onion *rsa.PublicKey, id [20]byte, ed [32]byte, sig []byte) error {
	return verify(onion, append(id[:], ed[:]...), sig)
}

func sign(key *rsa.PrivateKey, data []byte) ([]byte, error) {
	sig, err := rsa.SignPKCS1v15(nil, key, bare, data)
	if err != nil {
		return nil, fmt.Errorf("RSA signature: %w", err)
	}
	return sig, nil
}

func verify(pub *rsa.PublicKey, data, sig []byte) error {
	if err := rsa.VerifyPKCS1v15(pub, bare, data, sig); err != nil {
		return fmt.Errorf("RSA: %w", ErrSignature)
	}
	return nil
}
