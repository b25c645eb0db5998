package consensus

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
)

// Digests of a document. The signed part reaches from the beginning to the space after the first directory-signature.
type Digests struct {
	SHA1   [20]byte // of the signed part: what signatures without algorithm sign; zero if there are none of these
	SHA256 [32]byte // of the signed part: what sha256 signatures sign; zero likewise
	SHA3   [32]byte // SHA3-256 of the signed part: names the base of a consensus diff
	Whole  [32]byte // SHA3-256 of all: names the target of a consensus diff
}

const signatureKeyword = "directory-signature"

// SignedPart returns the part of a consensus that its signatures sign, or nil if there is no signature.
func SignedPart(doc []byte) []byte {
	i := bytes.Index(doc, []byte("\n"+signatureKeyword+" "))
	if i < 0 {
		return nil
	}
	return doc[:i+len("\n"+signatureKeyword+" ")]
}

// DigestsOf computes the digests of a document whose signed part has the given length; those that signatures sign only
// if they are asked for, since each takes as long as a third of the parsing, and a consensus is signed by one of them.
func DigestsOf(doc []byte, signedLen int, withSHA1, withSHA256 bool) (d Digests) {
	// Block by block, so that the text is read from memory once and from the cache thrice.
	const block = 16 << 10
	h1, h2, h3 := sha1.New(), sha256.New(), sha3.New256()
	for signed := doc[:signedLen]; len(signed) > 0; {
		part := signed[:min(len(signed), block)]
		if withSHA1 {
			h1.Write(part)
		}
		if withSHA256 {
			h2.Write(part)
		}
		h3.Write(part)
		signed = signed[len(part):]
	}
	if withSHA1 {
		h1.Sum(d.SHA1[:0])
	}
	if withSHA256 {
		h2.Sum(d.SHA256[:0])
	}
	h3.Sum(d.SHA3[:0]) // leaves the state as it is
	h3.Write(doc[signedLen:])
	h3.Sum(d.Whole[:0])
	return d
}
