package tally_test

import (
	"crypto/rsa"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/role/dirauth/tally"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/detachedsig"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The votes of three C tor 0.4.9.11 in a test network, their signatures in one document, and the consensuses that they
// published: computing, comparing digests and merging signatures give the same bytes.
func TestNetworkOfCTor(t *testing.T) {
	var votes []*vote.Vote
	keys := map[consensus.KeyID]*rsa.PublicKey{}
	for doc := range vote.Split(readFile(t, "votes.txt")) {
		v, err := vote.Parse(doc, vote.MinIntervalTesting)
		if err != nil {
			t.Fatal(err)
		}
		votes = append(votes, v)
		keys[consensus.KeyID{Identity: v.Cert.Fingerprint, SigningKey: v.Cert.SigningFP}] = v.Cert.Signing
	}
	r, err := tally.Compute(votes, tally.Config{Authorities: 3, MinInterval: vote.MinIntervalTesting, AgreedSRV: agree(false)})
	if err != nil {
		t.Fatal(err)
	}
	signatures, err := detachedsig.Parse(readFile(t, "signatures.txt"))
	if err != nil {
		t.Fatal(err)
	}
	ns, md := r.Pending(consensus.NS), r.Pending(consensus.Microdesc)
	for name, p := range map[string]*tally.Pending{"ns.txt": ns, "microdesc.txt": md} {
		n, err := p.Add(signatures, func(id consensus.KeyID) *rsa.PublicKey { return keys[id] })
		if n != 3 || err != nil {
			t.Errorf("%v: added %d signatures, error %v", p.Flavor(), n, err)
			continue
		}
		got, err := p.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(readFile(t, name)), string(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	doc, err := tally.Detached(ns, md).AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(readFile(t, "signatures.txt")), string(doc)); d != "" {
		t.Errorf("detached signatures (-want +got):\n%s", d)
	}
}
