package consensustest

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

func TestNew(t *testing.T) {
	for _, flavor := range []consensus.Flavor{consensus.Microdesc, consensus.NS} {
		o := Options{Relays: 50, Seed: 3, Flavor: flavor, Authorities: Authorities(3)}
		n := New(o)
		if again := New(o); !bytes.Equal(n.Doc, again.Doc) {
			t.Errorf("%v: not the same for the same seed", flavor)
		}
		if v := n.Consensus.Verify(Keyring(n.Authorities)); v.Result != consensus.Good || len(v.Good) != 3 {
			t.Errorf("%v: %+v", flavor, v)
		}
		if len(n.Consensus.Relays) != 50 || n.Consensus.Flavor != flavor {
			t.Errorf("%v: %d relays, %v", flavor, len(n.Consensus.Relays), n.Consensus.Flavor)
		}
		for i, md := range n.Microdescs {
			if sha256.Sum256(md) != n.Consensus.Relays[i].Digest {
				t.Errorf("microdescriptor %d is not the one listed", i)
			}
			if _, err := microdesc.Parse(md, microdesc.NewInterner()); err != nil {
				t.Errorf("microdescriptor %d: %v", i, err)
			}
		}
	}
}

func TestCert(t *testing.T) {
	a := Authorities(MaxAuthorities)[MaxAuthorities-1]
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cert, err := authcert.Parse(a.Cert(now, now.AddDate(1, 0, 0)))
	if err != nil || cert.Fingerprint != a.ID() || cert.SigningFP != a.keyID().SigningKey {
		t.Errorf("%+v, %v", cert, err)
	}
}
