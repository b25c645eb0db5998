package dirauth

import (
	"crypto/rsa"
	"slices"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// maxCerts is how many certificates of one authority are kept: that of the key in use and one or two before and after it.
const maxCerts = 4

// certs are the certificates of the authorities that vote.
type certs struct {
	voters []Voter
	now    func() time.Time

	mu   sync.Mutex // a leaf; guards list
	list map[[20]byte][]*authcert.Cert
}

func newCerts(voters []Voter, now func() time.Time) *certs {
	return &certs{voters: voters, now: now, list: map[[20]byte][]*authcert.Cert{}}
}

// add takes a certificate, if it is one of an authority that votes; the newest of them are kept.
func (c *certs) add(cert *authcert.Cert) {
	if !slices.ContainsFunc(c.voters, func(v Voter) bool { return v.V3Ident == cert.Fingerprint }) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list[cert.Fingerprint]
	if slices.ContainsFunc(list, func(o *authcert.Cert) bool {
		return o.SigningFP == cert.SigningFP && !o.Published.Before(cert.Published)
	}) {
		return
	}
	list = slices.DeleteFunc(list, func(o *authcert.Cert) bool { return o.SigningFP == cert.SigningFP })
	list = append(list, cert)
	slices.SortFunc(list, func(a, b *authcert.Cert) int { return b.Published.Compare(a.Published) })
	c.list[cert.Fingerprint] = list[:min(len(list), maxCerts)]
}

// texts are the certificates that are in force.
func (c *certs) texts() (list [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range c.list {
		for _, cert := range of {
			if c.now().Before(cert.Expires) {
				list = append(list, cert.Text)
			}
		}
	}
	return list
}

// key finds a signing key whose certificate is in force, nil if there is none.
func (c *certs) key(id consensus.KeyID) *rsa.PublicKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cert := range c.list[id.Identity] {
		if cert.SigningFP == id.SigningKey && c.now().Before(cert.Expires) {
			return cert.Signing
		}
	}
	return nil
}
