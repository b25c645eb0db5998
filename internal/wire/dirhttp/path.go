package dirhttp

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Fixed paths.
// https://spec.torproject.org/dir-spec/general-use-http-urls.html
const (
	PathUpload          = "/tor/"
	PathUploadVote      = "/tor/post/vote"
	PathUploadSignature = "/tor/post/consensus-signature"
	PathBridges         = "/tor/networkstatus-bridges"
	PathUploadHSDesc    = "/tor/hs/3/publish"
	PathNextSignatures  = "/tor/status-vote/next/consensus-signatures.z"
	PathOwnVote         = "/tor/status-vote/next/authority.z"
	PathOwnDescriptor   = "/tor/server/authority.z"
	PathAllKeys         = "/tor/keys/all.z"
)

// Prefixes of paths that end in a list.
const (
	prefixConsensus = "/tor/status-vote/current/consensus"
	PrefixVote      = "/tor/status-vote/next/"
	PrefixServer    = "/tor/server/d/"   // router descriptors by digest
	PrefixServerFP  = "/tor/server/fp/"  // by RSA fingerprint
	PrefixExtra     = "/tor/extra/d/"    // extra-info documents by digest
	PrefixMicro     = "/tor/micro/d/"    // microdescriptors by digest
	PrefixKeysFP    = "/tor/keys/fp/"    // authority certificates by identity
	PrefixKeysFPSK  = "/tor/keys/fp-sk/" // by identity and signing key
	PrefixHSDesc    = "/tor/hs/3/"       // an onion service descriptor by blinded key
)

// Bounds on the digests in one request. A direct request may pass a proxy that does not take longer paths.
const (
	MaxDigests       = 500
	MaxDirectDigests = 96
	MaxDirectMicro   = 90
)

// ConsensusPath is the path of the current consensus.
type ConsensusPath struct {
	Flavor string // "microdesc", or empty for the plain consensus
	// Signers are hexadecimal beginnings of authority fingerprints: the server answers only if more than half of them
	// signed. None means that any will do.
	Signers []string
	// DiffFrom asks for nothing but a diff from that consensus.
	DiffFrom *[32]byte
}

// SignerPrefix returns a fingerprint in the form of ConsensusPath.Signers that clients send.
func SignerPrefix(fingerprint [20]byte) string { return upperHex(fingerprint[:3]) }

// String returns the path, with the signers sorted as C tor does.
// https://spec.torproject.org/dir-spec/general-use-http-urls.html
func (c ConsensusPath) String() string {
	b := prefixConsensus
	if c.Flavor != "" {
		b += "-" + c.Flavor
	}
	if c.DiffFrom != nil {
		b += "/diff/" + upperHex(c.DiffFrom[:])
	}
	if len(c.Signers) > 0 {
		b += "/" + strings.Join(slices.Sorted(slices.Values(c.Signers)), "+")
	}
	return b + ".z"
}

// ParseConsensusPath parses a path without its ".z". It reports false if the path is another, or its digest is bad.
func ParseConsensusPath(path string) (c ConsensusPath, ok bool) {
	rest, ok := strings.CutPrefix(path, prefixConsensus)
	if !ok {
		return c, false
	}
	name, rest, _ := strings.Cut(rest, "/")
	if c.Flavor, ok = strings.CutPrefix(name, "-"); !ok && name != "" {
		return ConsensusPath{}, false // such as consensus.new
	}
	if after, isDiff := strings.CutPrefix(rest, "diff/"); isDiff {
		var digest string
		digest, rest, _ = strings.Cut(after, "/")
		c.DiffFrom = new([32]byte)
		if !decodeHex(c.DiffFrom[:], digest) {
			return ConsensusPath{}, false
		}
	}
	for s := range strings.SplitSeq(rest, "+") {
		if s != "" {
			c.Signers = append(c.Signers, s)
		}
	}
	return c, true
}

// DigestPath returns the path for documents named by 20-byte digests, such as PrefixServer or PrefixKeysFP. Here and
// below digests are sorted, so that their order tells nothing about us.
func DigestPath(prefix string, digests [][20]byte) (string, error) {
	return listPath(prefix, "+", digests, compare20, func(d [20]byte) string { return upperHex(d[:]) })
}

// MicrodescPath returns the path for microdescriptors named by their SHA-256 digests.
func MicrodescPath(digests [][32]byte) (string, error) {
	return listPath(PrefixMicro, "-", digests, compare32, encodeBase64)
}

// KeyPair names an authority certificate by its identity and signing key.
type KeyPair struct{ Identity, Signing [20]byte }

// KeyPairPath returns the path for authority certificates.
func KeyPairPath(pairs []KeyPair) (string, error) {
	return listPath(PrefixKeysFPSK, "+", pairs, compareKeyPairs, func(p KeyPair) string {
		return upperHex(p.Identity[:]) + "-" + upperHex(p.Signing[:])
	})
}

// HSDescPath returns the path of the onion service descriptor of a blinded key.
func HSDescPath(blinded [32]byte) string {
	return PrefixHSDesc + encodeBase64(blinded)
}

func listPath[T any](prefix, separator string, list []T, compare func(a, b T) int, encode func(T) string) (string, error) {
	if len(list) == 0 || len(list) > MaxDigests {
		return "", fmt.Errorf("%s: %d entries: %w", prefix, len(list), ErrList)
	}
	var items []string
	for _, v := range slices.SortedFunc(slices.Values(list), compare) {
		items = append(items, encode(v))
	}
	return prefix + strings.Join(items, separator) + ".z", nil
}

// The parsers below take what follows a prefix, without ".z". As in C tor, entries that are malformed are skipped, and
// the result is sorted and free of duplicates.

// ParseDigests parses digests of 20 bytes.
func ParseDigests(list string) [][20]byte {
	return parseList(list, "+", compare20, func(s string) (d [20]byte, ok bool) {
		ok = decodeHex(d[:], s)
		return d, ok
	})
}

// ParseMicrodescs parses digests of microdescriptors.
func ParseMicrodescs(list string) [][32]byte { return parseList(list, "-", compare32, decodeBase64) }

// ParseKeyPairs parses pairs of fingerprints.
func ParseKeyPairs(list string) []KeyPair {
	return parseList(list, "+", compareKeyPairs, func(s string) (p KeyPair, ok bool) {
		id, sk, _ := strings.Cut(s, "-")
		ok = decodeHex(p.Identity[:], id) && decodeHex(p.Signing[:], sk)
		return p, ok
	})
}

// ParseHSDesc parses a blinded key.
func ParseHSDesc(s string) (blinded [32]byte, ok bool) { return decodeBase64(s) }

func parseList[T comparable](list, separator string, compare func(a, b T) int, decode func(string) (T, bool)) []T {
	var out []T
	for s := range strings.SplitSeq(list, separator) {
		if v, ok := decode(s); ok {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, compare)
	return slices.Compact(out)
}

func compare20(a, b [20]byte) int { return bytes.Compare(a[:], b[:]) }

func compare32(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) }

func compareKeyPairs(a, b KeyPair) int {
	return cmp.Or(compare20(a.Identity, b.Identity), compare20(a.Signing, b.Signing))
}

func encodeBase64(d [32]byte) string { return base64.RawStdEncoding.EncodeToString(d[:]) }

func decodeBase64(s string) (d [32]byte, ok bool) {
	if len(s) != base64.RawStdEncoding.EncodedLen(len(d)) {
		return d, false
	}
	n, err := base64.RawStdEncoding.Decode(d[:], []byte(s))
	return d, err == nil && n == len(d)
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
