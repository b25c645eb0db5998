package dircache

import (
	"bytes"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// AddCert adds a certificate of a directory authority; its text is copied. Certificates of authorities that this node does
// not trust may be added too, as C tor's caches do.
func (c *Cache) AddCert(cert *authcert.Cert) {
	own := *cert
	own.Text = bytes.Clone(cert.Text)
	c.mu.Lock()
	defer c.mu.Unlock()
	i, found := slices.BinarySearchFunc(c.certs, &own, compareCerts)
	if !found {
		c.certs = slices.Insert(slices.Clone(c.certs), i, &own)
	}
}

func compareCerts(a, b *authcert.Cert) int {
	if n := bytes.Compare(a.Fingerprint[:], b.Fingerprint[:]); n != 0 {
		return n
	}
	if n := a.Published.Compare(b.Published); n != 0 {
		return n
	}
	return bytes.Compare(a.Digest[:], b.Digest[:])
}

// certsFor finds certificates in the way of C tor: by identity only the newest, by signing key the first.
func (c *Cache) certsFor(r *dirhttp.Resource) (list []*authcert.Cert) {
	c.mu.RLock()
	certs, own := c.certs, c.own.Cert // the slice is replaced when it changes
	c.mu.RUnlock()
	add := func(match func(*authcert.Cert) bool) {
		if i := slices.IndexFunc(certs, match); i >= 0 {
			list = append(list, certs[i])
		} else if own != nil && match(own) {
			list = append(list, own)
		}
	}
	switch r.Kind {
	case dirhttp.KeysAll:
		list = certs
	case dirhttp.KeysOwn:
		if own != nil {
			list = append(list, own)
		}
	case dirhttp.KeysFP:
		for _, id := range r.Digests {
			if newest := newestCert(certs, own, id); newest != nil {
				list = append(list, newest)
			}
		}
	case dirhttp.KeysSK:
		for _, sk := range r.Digests {
			add(func(c *authcert.Cert) bool { return c.SigningFP == sk })
		}
	case dirhttp.KeysFPSK:
		for _, p := range r.Pairs {
			add(func(c *authcert.Cert) bool { return c.Fingerprint == p.Identity && c.SigningFP == p.Signing })
		}
	}
	return list
}

func newestCert(certs []*authcert.Cert, own *authcert.Cert, id [20]byte) (newest *authcert.Cert) {
	if own != nil && own.Fingerprint == id {
		newest = own
	}
	for _, c := range certs {
		if c.Fingerprint == id && (newest == nil || c.Published.After(newest.Published)) {
			newest = c
		}
	}
	return newest
}

// How long a certificate is kept after it expired, or after the next one of its authority was published, as in C tor.
const (
	deadCert       = 48 * time.Hour
	supersededCert = 48 * time.Hour
)

// cleanCertsLocked drops old certificates. The newest of each authority stays.
func (c *Cache) cleanCertsLocked(now time.Time) {
	var keep []*authcert.Cert
	for i, cert := range c.certs {
		if i+1 < len(c.certs) && c.certs[i+1].Fingerprint == cert.Fingerprint {
			next := c.certs[i+1].Published
			dead := cert.Expires.Add(deadCert).Before(now) || next.Add(supersededCert).Before(now)
			if dead && !next.After(now) {
				continue
			}
		}
		keep = append(keep, cert)
	}
	c.certs = keep
}
