package dirhttp

import (
	"fmt"
	"strings"
)

// Kind is a sort of document that a server is asked for.
type Kind uint8

// The kinds. The comment says what of a Resource is set.
const (
	Other        Kind = iota // none of the below: it may exist at an authority or an onion service directory
	FrontPage                // "/"
	Robots                   // robots.txt
	Consensus                // Consensus
	KeysAll                  // all authority certificates
	KeysOwn                  // the authority's own certificate
	KeysFP                   // Digests, of identities
	KeysSK                   // Digests, of signing keys
	KeysFPSK                 // Pairs
	ServerAll                // all router descriptors
	ServerOwn                // the server's own
	ServerFP                 // Digests, of identities
	ServerDigest             // Digests
	ExtraAll                 // all extra-info documents
	ExtraOwn                 // the server's own
	ExtraFP                  // Digests, of identities
	ExtraDigest              // Digests
	Micro                    // Microdescs
)

var kindNames = [...]string{
	"other", "front page", "robots", "consensus", "keys/all", "keys/authority", "keys/fp", "keys/sk", "keys/fp-sk",
	"server/all", "server/authority", "server/fp", "server/d", "extra/all", "extra/authority", "extra/fp", "extra/d", "micro/d",
}

// String returns the part of the path that tells the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Prefixes that only servers need to know.
const (
	PrefixKeysSK  = "/tor/keys/sk/"
	PrefixExtraFP = "/tor/extra/fp/"
)

// Bounds on what one path may name.
const (
	MaxListed  = 1000 // documents: twice what any client asks for at a time
	MaxSigners = 256  // as many authorities as a consensus can have
)

// Resource is what the path of a request names.
type Resource struct {
	Kind       Kind
	Consensus  ConsensusPath
	Digests    [][20]byte
	Microdescs [][32]byte
	Pairs      []KeyPair
}

// fixed are the paths without a list.
var fixed = map[string]Kind{
	"/tor/": FrontPage, "/tor/robots.txt": Robots,
	"/tor/keys/all": KeysAll, "/tor/keys/authority": KeysOwn,
	"/tor/server/all": ServerAll, "/tor/server/authority": ServerOwn,
	"/tor/extra/all": ExtraAll, "/tor/extra/authority": ExtraOwn,
}

// lists are the prefixes that lists of digests of 20 bytes follow.
var lists = []struct {
	prefix string
	kind   Kind
}{
	{PrefixServer, ServerDigest}, {PrefixServerFP, ServerFP}, {PrefixExtra, ExtraDigest}, {PrefixExtraFP, ExtraFP},
	{PrefixKeysFP, KeysFP}, {PrefixKeysSK, KeysSK},
}

// FullPath puts "/tor" before a path that lacks it, as C tor does (parse_http_url): "/" is "/tor/".
func FullPath(path string) string {
	switch {
	case strings.HasPrefix(path, "/tor/"):
		return path
	case strings.HasPrefix(path, "/"):
		return "/tor" + path
	}
	return "/tor/" + path
}

// ParseResource parses a [FullPath] without ".z". It fails with [ErrSyntax] where C tor answers that the request is bad, and
// with [ErrList] if the path names too much. A list of which nothing could be read is empty and no error.
//
// https://spec.torproject.org/dir-spec/general-use-http-urls.html
func ParseResource(path string) (r Resource, err error) {
	if kind, ok := fixed[path]; ok {
		return Resource{Kind: kind}, nil
	}
	for _, l := range lists {
		if list, ok := strings.CutPrefix(path, l.prefix); ok {
			r = Resource{Kind: l.kind, Digests: ParseDigests(list)}
			return r, checkCount(len(r.Digests), MaxListed)
		}
	}
	if list, ok := strings.CutPrefix(path, PrefixMicro); ok {
		r = Resource{Kind: Micro, Microdescs: ParseMicrodescs(list)}
		return r, checkCount(len(r.Microdescs), MaxListed)
	}
	if list, ok := strings.CutPrefix(path, PrefixKeysFPSK); ok {
		r = Resource{Kind: KeysFPSK, Pairs: ParseKeyPairs(list)}
		return r, checkCount(len(r.Pairs), MaxListed)
	}
	if strings.HasPrefix(path, prefixConsensus) {
		r.Kind = Consensus
		var ok bool
		if r.Consensus, ok = ParseConsensusPath(path); !ok {
			return r, fmt.Errorf("path of a consensus: %w", ErrSyntax)
		}
		return r, checkCount(len(r.Consensus.Signers), MaxSigners)
	}
	if strings.HasPrefix(path, "/tor/keys/") {
		return r, fmt.Errorf("path of keys: %w", ErrSyntax)
	}
	return r, nil
}

func checkCount(n, most int) error {
	if n > most {
		return fmt.Errorf("%d entries, at most %d allowed: %w", n, most, ErrList)
	}
	return nil
}
