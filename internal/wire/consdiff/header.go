package consdiff

import (
	"bytes"
	"crypto/sha3"
	"fmt"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

const firstLine = "network-status-diff-version 1\n"

// IsDiff reports whether a document claims to be a consensus diff, rather than a consensus.
func IsDiff(doc []byte) bool { return bytes.HasPrefix(doc, []byte("network-status-diff-version ")) }

// BaseDigest names a consensus as the base of a diff: SHA3-256 of what its signatures sign, or of all if it has none.
func BaseDigest(doc []byte) [32]byte {
	if signed := consensus.SignedPart(doc); signed != nil {
		doc = signed
	}
	return sha3.Sum256(doc)
}

// Header says from which consensus to which a diff leads.
type Header struct {
	Base   [32]byte // see BaseDigest
	Target [32]byte // SHA3-256 of all bytes
}

// ParseHeader reads the first two lines and returns the commands after them.
func ParseHeader(diff []byte) (h Header, script []byte, err error) {
	rest, ok := bytes.CutPrefix(diff, []byte(firstLine))
	if !ok {
		return h, nil, fmt.Errorf("version: %w", ErrSyntax)
	}
	line, script, ok := bytes.Cut(rest, []byte("\n"))
	args, isHash := bytes.CutPrefix(line, []byte("hash "))
	from, to, two := bytes.Cut(args, []byte(" "))
	if !ok || !isHash || !two || netdoc.ParseHex(h.Base[:], from) != nil || netdoc.ParseHex(h.Target[:], to) != nil {
		return Header{}, nil, fmt.Errorf("digests: %w", ErrSyntax)
	}
	return h, script, nil
}

// append writes the two lines.
func (h *Header) append(dst []byte) []byte {
	dst = append(append(dst, firstLine...), "hash "...)
	dst = append(netdoc.AppendHex(dst, h.Base[:]), ' ')
	return append(netdoc.AppendHex(dst, h.Target[:]), '\n')
}
