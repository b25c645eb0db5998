package dircache

import (
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// Documents go when nobody can want them any more, by the rules of C tor: routerlist_remove_old_routers,
// microdesc_cache_clean, trusted_dirs_remove_old_certs.
func TestClean(t *testing.T) {
	b := newBed(t, Config{})
	c := b.cache
	listed := b.newest(consensus.NS).Consensus.Relays[0]
	c.AddDescriptor(&routerdesc.Descriptor{RSA: listed.ID, Digest: [20]byte(listed.Digest[:20]), Published: testNow.AddDate(0, 0, -30), Text: []byte("router\n")})
	c.AddDescriptor(&routerdesc.Descriptor{RSA: id(0xaa), Digest: id(0xab), Published: testNow.AddDate(0, 0, -5), Text: []byte("router\n")})
	c.AddMicrodescs([]microdesc.Entry{
		{Text: []byte("onion-key\nold\n"), LastListed: testNow.Add(-maxUnlisted - time.Second)},
		{Text: []byte("onion-key\nnew\n"), LastListed: testNow.Add(-maxUnlisted + time.Second)},
	})
	c.Clean()
	if len(c.micros) != 41 {
		t.Errorf("%d microdescriptors, want the 40 that are listed and one", len(c.micros))
	}
	if len(c.routers.byDigest) != 7 || c.routers.byDigest[id(0xab)] != nil || len(c.extras) != 6 {
		t.Errorf("%d descriptors and %d extra-info documents, want 7 and 6", len(c.routers.byDigest), len(c.extras))
	}
	// Of each authority the old certificate is superseded for a month.
	if len(c.certs) != 3 {
		t.Errorf("%d certificates, want 3", len(c.certs))
	}

	b.now = testNow.AddDate(0, 0, 8)
	c.Clean()
	if len(c.routers.byDigest) != 1 || len(c.extras) != 0 || len(c.routers.byFP) != 1 {
		t.Errorf("after 8 days: %d descriptors, %d extra-info documents", len(c.routers.byDigest), len(c.extras))
	}
	if len(c.micros) != 41 {
		t.Errorf("after 8 days without a consensus: %d microdescriptors, want all", len(c.micros))
	}
	if len(c.certs) != 3 {
		t.Errorf("after 8 days: %d certificates", len(c.certs))
	}
}

// What a consensus listed is kept while that is valid, though the next one does not list it.
func TestListedUntil(t *testing.T) {
	now := testNow
	c := NewCache(CacheConfig{Env: testEnv(&now)})
	nets := chain(consensus.NS, 10, 2, validAfter)
	gone := nets[0].Consensus.Relays[0] // the second one does not have it
	d := &routerdesc.Descriptor{RSA: gone.ID, Digest: [20]byte(gone.Digest[:20]), Published: now.AddDate(0, 0, -6)}
	c.SetConsensus(nets[0].Doc, nets[0].Consensus)
	c.AddDescriptor(d)
	c.SetConsensus(nets[1].Doc, nets[1].Consensus)
	c.Clean()
	if c.routers.byDigest[d.Digest] == nil {
		t.Error("dropped while the consensus that lists it is valid")
	}
	now = nets[0].Consensus.ValidUntil.Add(time.Second)
	c.Clean()
	if c.routers.byDigest[d.Digest] != nil {
		t.Error("kept afterwards")
	}
}

// A relay cannot fill the memory with its descriptors.
func TestManyDescriptors(t *testing.T) {
	now := testNow
	c := NewCache(CacheConfig{Env: testEnv(&now)})
	for i := range byte(50) {
		d := &routerdesc.Descriptor{RSA: id(1), Digest: id(i), Published: now.Add(time.Duration(i) * time.Second), Text: []byte("router\n")}
		c.AddDescriptor(d)
		c.AddDescriptor(d)
	}
	if n := len(c.routers.byFP[id(1)]); n != maxPerRouter || len(c.routers.byDigest) != n {
		t.Errorf("%d and %d descriptors", n, len(c.routers.byDigest))
	}
	if r := c.routers.newest(id(1)); r.Digest != id(49) {
		t.Errorf("newest is %x", r.Digest)
	}
}

func TestSameCertTwice(t *testing.T) {
	now := testNow
	c := NewCache(CacheConfig{Env: testEnv(&now)})
	cert := &authcert.Cert{Fingerprint: id(1), Published: now, Text: []byte("x")}
	c.AddCert(cert)
	c.AddCert(cert)
	if len(c.certs) != 1 {
		t.Errorf("%d certificates", len(c.certs))
	}
}
