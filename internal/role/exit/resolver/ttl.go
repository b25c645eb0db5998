package resolver

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// Lifetimes that clients are told, before fuzzing. There are two only, so that a lifetime does not tell which site was
// visited, and they are long, so that a look-up by an exit rarely coincides with a visit.
//
// https://nymity.ch/tor-dns/tor-dns.pdf
const (
	minTTL     = 5 * time.Minute
	maxTTL     = 60 * time.Minute
	fuzzTTL    = 4 * time.Minute  // either way
	literalTTL = 30 * time.Minute // of addresses that are not asked for; DEFAULT_DNS_TTL in C tor
)

// clipTTL returns the lifetime, in whole seconds, that takes the place of one that a server gave in seconds. The same
// holds for the cache and for clients, as in clip_dns_fuzzy_ttl of C tor.
func clipTTL(seconds uint32) time.Duration {
	ttl := maxTTL
	// RFC 2181, section 8: "a received TTL value with the most significant bit set" is to be treated "as if the entire
	// value received was zero".
	if seconds>>31 == 1 || seconds < uint32(minTTL/time.Second) {
		ttl = minTTL
	}
	return ttl + time.Duration(random.Int64N(int64(2*fuzzTTL/time.Second)+1))*time.Second - fuzzTTL
}

// random draws from crypto/rand. It has no state, so it is safe for concurrent use.
var random = rand.New(cryptoSource{})

type cryptoSource struct{}

func (cryptoSource) Uint64() uint64 {
	var b [8]byte
	crand.Read(b[:])
	return binary.NativeEndian.Uint64(b[:])
}
