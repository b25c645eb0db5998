package tally_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/kit/voteoracle"
	"github.com/tropea-net/tropea/internal/role/dirauth/tally"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// C tor 0.4.9.11 is the judge: of the same votes it made these bytes.
//
// https://spec.torproject.org/dir-spec/computing-consensus.html
func TestAgainstCTor(t *testing.T) {
	voteoracle.Each(t, func(t *testing.T, s *voteoracle.Scenario) {
		var votes []*vote.Vote
		for _, text := range s.Votes {
			v, err := vote.Parse(text.Text, vote.MinIntervalTesting)
			if err != nil {
				t.Fatal(err)
			}
			votes = append(votes, v)
		}
		r, err := tally.Compute(votes, tally.Config{
			Authorities: s.Authorities, MinInterval: vote.MinIntervalTesting, AgreedSRV: agree(s.FreshSRV),
		})
		if err != nil {
			t.Fatal(err)
		}
		self := voteoracle.Authorities()[s.Self]
		var pending []*tally.Pending
		for _, d := range []struct {
			flavor    consensus.Flavor
			want, got []byte
		}{{consensus.NS, s.NS, r.NSBody}, {consensus.Microdesc, s.Microdesc, r.MicrodescBody}} {
			if diff := cmp.Diff(string(d.want), string(d.got)); diff != "" {
				t.Errorf("%v (-want +got):\n%s", d.flavor, diff)
			}
			p := r.Pending(d.flavor)
			if err := p.Sign(self.ID(), self.Signing); err != nil {
				t.Fatal(err)
			}
			pending = append(pending, p)
			if text, err := p.AppendTo(nil); err != nil {
				t.Error(err)
			} else if _, err := consensus.Parse(text); err != nil {
				t.Errorf("%v flavor of ours: %v", d.flavor, err)
			}
		}
		signatures, err := tally.Detached(pending...).AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(s.Signatures), string(signatures)); diff != "" {
			t.Errorf("detached signatures (-want +got):\n%s", diff)
		}
	})
}
