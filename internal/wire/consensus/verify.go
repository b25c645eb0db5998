package consensus

import (
	"crypto/rsa"
	"slices"

	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// A KeyID names a signing key: of which authority, and which of its keys. Certificates are asked for by it.
type KeyID struct {
	Identity, SigningKey [20]byte
}

// A Keyring is what Verify needs to know.
type Keyring struct {
	Trusted [][20]byte                 // identities of the authorities that we believe
	Key     func(KeyID) *rsa.PublicKey // out of a certificate that is in force, nil if there is none
}

// Result says whether a consensus is to be believed.
type Result uint8

// The results.
const (
	Bad       Result = iota // too few good signatures, and no certificate could change that
	NeedCerts               // enough if the signatures with missing certificates are good
	Good                    // more than half of the trusted authorities signed
)

// String names the result.
func (r Result) String() string {
	return [...]string{"too few good signatures", "certificates are missing", "good"}[r]
}

// A Verdict tells what the signatures are worth. An authority is in one of the lists at most.
type Verdict struct {
	Result  Result
	Needed  int        // how many good authorities make a majority
	Good    [][20]byte // trusted, with a good signature
	Bad     [][20]byte // trusted, with nothing but bad ones
	Missing []KeyID    // trusted, with a signature by a key that we have no certificate of
	Unknown [][20]byte // not trusted
	Absent  [][20]byte // trusted, without a signature
}

// standing is what an authority's best signature is worth; the better, the higher.
type standing uint8

const (
	absent standing = iota
	bad
	missing
	good
)

// Verify checks the signatures against the digests that Parse computed. Each trusted authority counts once, however
// often it signed; one good signature is enough.
func (c *Consensus) Verify(k *Keyring) (v Verdict) {
	best := make(map[[20]byte]standing, len(k.Trusted))
	for _, id := range k.Trusted {
		best[id] = absent
	}
	wanted := map[[20]byte]KeyID{}
	for i := range c.Signatures {
		s := &c.Signatures[i]
		if before, trusted := best[s.Identity]; !trusted {
			if !slices.Contains(v.Unknown, s.Identity) {
				v.Unknown = append(v.Unknown, s.Identity)
			}
		} else if now := c.check(s, k); now > before {
			best[s.Identity] = now
			wanted[s.Identity] = KeyID{s.Identity, s.SigningKey}
		}
	}
	for id, st := range best {
		switch st {
		case good:
			v.Good = append(v.Good, id)
		case missing:
			v.Missing = append(v.Missing, wanted[id])
		case bad:
			v.Bad = append(v.Bad, id)
		case absent:
			v.Absent = append(v.Absent, id)
		}
	}
	v.settle(len(best))
	return v
}

// check looks at one signature.
func (c *Consensus) check(s *Signature, k *Keyring) standing {
	digest := c.Digests.SHA1[:]
	if s.Algorithm == SHA256 {
		digest = c.Digests.SHA256[:]
	}
	key := k.Key(KeyID{s.Identity, s.SigningKey})
	switch {
	case key == nil:
		return missing
	case rsakey.VerifyRaw(key, digest, s.Signature) != nil:
		return bad
	}
	return good
}

// settle computes the result and puts the lists in order.
func (v *Verdict) settle(trusted int) {
	v.Needed = trusted/2 + 1
	switch {
	case len(v.Good) >= v.Needed:
		v.Result = Good
	case len(v.Good)+len(v.Missing) >= v.Needed:
		v.Result = NeedCerts
	}
	for _, list := range [][][20]byte{v.Good, v.Bad, v.Unknown, v.Absent} {
		slices.SortFunc(list, func(a, b [20]byte) int { return compareID(&a, &b) })
	}
	slices.SortFunc(v.Missing, func(a, b KeyID) int { return compareID(&a.Identity, &b.Identity) })
}
