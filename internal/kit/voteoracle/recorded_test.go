package voteoracle

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// TestRecorded checks that each recorded scenario is whole and what it says it is: the votes are those of its plan, all
// of them and no others went into the consensuses, and C tor signed these.
func TestRecorded(t *testing.T) {
	plans := map[string]*Plan{}
	all := Plans()
	for i := range all {
		plans[all[i].Name] = &all[i]
	}
	if len(all) < 100 || len(plans) != len(all) {
		t.Errorf("%d plans with %d names", len(all), len(plans))
	}
	Each(t, func(t *testing.T, s *Scenario) {
		p := plans[s.Name]
		if p == nil {
			t.Fatal("there is no such plan")
		}
		delete(plans, s.Name)
		if s.Authorities != p.Authorities || s.Self != p.Self || s.FreshSRV != p.FreshSRV || len(s.Votes) != p.Voters {
			t.Errorf("%+v: got %d of %d authorities, C tor the one at %d, fresh: %v", p, len(s.Votes), s.Authorities, s.Self, s.FreshSRV)
		}
		checkVotes(t, s, p)
		checkConsensus(t, s, consensus.NS)
		checkConsensus(t, s, consensus.Microdesc)
	})
	for name := range plans {
		t.Errorf("%s: not recorded", name)
	}
}

func checkVotes(t *testing.T, s *Scenario, p *Plan) {
	t.Helper()
	voted := map[int][]byte{}
	for _, v := range s.Votes {
		if voted[v.Authority] != nil {
			t.Errorf("authority %d votes twice", v.Authority)
		}
		voted[v.Authority] = v.Text
		if err := verifyVote(v); err != nil {
			t.Errorf("vote of authority %d: %v", v.Authority, err)
		}
	}
	for _, want := range p.Votes(s.ValidAfter) { // all but C tor's own
		if diff := cmp.Diff(string(want.Text), string(voted[want.Authority])); diff != "" {
			t.Errorf("vote of authority %d is not that of the plan (-want +got):\n%s", want.Authority, diff)
		}
	}
}

// signed are the parts of a vote: what the signature covers, and the signature.
func signed(vote []byte) (covered, signature []byte) {
	const keyword = "directory-signature "
	before, after, _ := bytes.Cut(vote, []byte("\n"+keyword))
	if block, _ := pem.Decode(after); block != nil {
		signature = block.Bytes
	}
	return slices.Concat(before, []byte("\n"+keyword)), signature
}

func verifyVote(v Vote) error {
	covered, signature := signed(v.Text)
	digest := sha1.Sum(covered)
	a := Authorities()[v.Authority]
	if !bytes.Contains(covered, a.Cert) {
		return fmt.Errorf("its certificate is missing")
	}
	return rsakey.VerifyRaw(&a.Signing.PublicKey, digest[:], signature)
}

// signConsensus puts C tor's detached signature behind a consensus.
func signConsensus(s *Scenario, flavor consensus.Flavor) []byte {
	const keyword = "directory-signature "
	body, before := s.NS, "\n"+keyword
	if flavor == consensus.Microdesc {
		body, before = s.Microdesc, "\nadditional-signature microdesc "
	}
	const end = "-----END SIGNATURE-----\n"
	_, signature, _ := strings.Cut(string(s.Signatures), before)
	signature, _, _ = strings.Cut(signature, end)
	return slices.Concat(body, []byte(keyword+signature+end))
}

func checkConsensus(t *testing.T, s *Scenario, flavor consensus.Flavor) {
	t.Helper()
	c, err := consensus.Parse(signConsensus(s, flavor))
	if err != nil {
		t.Errorf("%v: %v", flavor, err)
		return
	}
	if c.Flavor != flavor || c.Method != s.Method || !c.ValidAfter.Equal(s.ValidAfter) {
		t.Errorf("%v: flavor %v, method %d, valid after %v", flavor, c.Flavor, c.Method, c.ValidAfter)
	}
	var got, want []string
	for _, source := range c.Sources {
		if !source.Legacy {
			got = append(got, fmt.Sprintf("%X %X", source.Identity, source.VoteDigest))
		}
	}
	for _, v := range s.Votes {
		covered, _ := signed(v.Text)
		want = append(want, fmt.Sprintf("%X %X", Authorities()[v.Authority].ID(), sha1.Sum(covered)))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%v: votes (-want +got):\n%s", flavor, diff)
	}
	self := Authorities()[s.Self]
	keyring := &consensus.Keyring{Trusted: [][20]byte{self.ID()}, Key: func(id consensus.KeyID) *rsa.PublicKey {
		if id.Identity == self.ID() {
			return &self.Signing.PublicKey
		}
		return nil
	}}
	if v := c.Verify(keyring); v.Result != consensus.Good || len(c.Signatures) != 1 {
		t.Errorf("%v: %d signatures: %+v", flavor, len(c.Signatures), v)
	}
}

// TestCoverage checks that the recorded consensuses show each thing that a tally may get wrong.
func TestCoverage(t *testing.T) {
	missing := map[string]bool{}
	for _, w := range []string{
		"\nconsensus-method 32\n", "\nconsensus-method 33\n", "\nconsensus-method 34\n", "\nconsensus-method 35\n",
		"\npackage ", "\nparams ", "-legacy ", "\nshared-rand-previous-value ", "\nshared-rand-current-value ",
		"\na [", " Unmeasured=1", " GuardFraction=", "w Bandwidth=0", "w Bandwidth=2147483647\n", " Yak=1-3", " MiddleOnly", " BadExit", " NoEdConsensus", " Named", " Unnamed", " Authority",
		"\npr \n", "\nclient-versions \n", "\nbandwidth-weights ", "\nr Unnamed ", "\np accept ", "\np reject ",
		"Case 1 ", "Case 2a (E scarce)", "Case 2a (G scarce)", "Case 2b1 ", "Case 2b2 ", "Case 2b3 ", "Case 3a (G scarce)", "Case 3a (E scarce)",
		"Case 3bg ", "Case 3be ", "Bw Weights error ", "SRV didn't reach majority", "New SRV didn't reach agreement",
	} {
		missing[w] = true
	}
	flags, methods := 0, map[int]int{}
	Each(t, func(t *testing.T, s *Scenario) {
		text := string(s.NS) + strings.Join(s.Notes, "\n")
		for w := range missing {
			if strings.Contains(text, w) {
				delete(missing, w)
			}
		}
		methods[s.Method]++
		flags += strings.Count(string(s.NS), "\ns ")
	})
	for w := range missing {
		t.Errorf("%q is in no scenario", w)
	}
	t.Logf("%d relays in all consensuses; methods %v", flags, methods)
}
