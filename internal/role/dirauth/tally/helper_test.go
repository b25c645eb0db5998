package tally_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth/srv"
	"github.com/tropea-net/tropea/internal/role/dirauth/tally"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

var (
	validAfter = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	validAddr  = netip.MustParseAddr("192.0.2.1")
)

// votesOf makes n votes that agree, without relays, and changes each.
func votesOf(n int, change func(i int, v *vote.Vote)) []*vote.Vote {
	votes := make([]*vote.Vote, n)
	for i := range votes {
		votes[i] = &vote.Vote{
			Methods: []int{32, 33, 34, 35}, ValidAfter: validAfter, FreshUntil: validAfter.Add(time.Hour), ValidUntil: validAfter.Add(3 * time.Hour),
			VoteDelay: 300 * time.Second, DistDelay: 300 * time.Second,
			KnownFlags: []string{"BadExit", "Exit", "Guard", "HSDir", "MiddleOnly", "Running", "V2Dir", "Valid"},
			Source:     consensus.DirSource{Nickname: "auth", Identity: [20]byte{byte(i + 1)}, Hostname: "host", Addr: validAddr},
		}
		change(i, votes[i])
	}
	return votes
}

// relay makes an entry about the relay of a number, which runs and is valid.
func relay(v *vote.Vote, number byte, flags ...string) vote.Relay {
	r := vote.Relay{
		Flags: v.FlagsOf(append(flags, "Running", "Valid")...), HasEd25519: true, Ed25519: [32]byte{number},
		Microdescs: []vote.Microdesc{{Methods: 0xf << 32, Digest: [32]byte{number}}},
	}
	r.Status.ID, r.Status.Digest[0] = [20]byte{number}, number
	r.Status.SetNickname("relay")
	r.Status.Protos = &consensus.Protos{Text: "Relay=2"}
	r.Status.Policy = "reject 1-65535"
	return r
}

// aboutRelay makes n votes about one relay and changes each entry.
func aboutRelay(n int, change func(i int, v *vote.Vote, r *vote.Relay)) []*vote.Vote {
	return votesOf(n, func(i int, v *vote.Vote) {
		r := relay(v, 1)
		change(i, v, &r)
		v.Relays = append(v.Relays, r)
	})
}

// compute tallies votes, all of the authorities'.
func compute(t *testing.T, votes []*vote.Vote) *tally.Result {
	t.Helper()
	return computeOf(t, len(votes), votes)
}

func computeOf(t *testing.T, authorities int, votes []*vote.Vote) *tally.Result {
	t.Helper()
	r, err := tally.Compute(votes, tally.Config{Authorities: authorities, MinInterval: vote.MinInterval, AgreedSRV: agree(false)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// agree is what a state says that knows a fresh value, or an old one.
func agree(fresh bool) func([]*vote.SharedRandom, int, int) (previous, current *consensus.SRV) {
	return func(votes []*vote.SharedRandom, authorities, agreements int) (previous, current *consensus.SRV) {
		return srv.Agree(votes, authorities, agreements, fresh)
	}
}

// lines returns the lines of a text that begin with a keyword, without it.
func lines(text []byte, keyword string) (list []string) {
	for l := range strings.Lines(string(text)) {
		l = strings.TrimSuffix(l, "\n")
		if rest, ok := strings.CutPrefix(l, keyword+" "); ok {
			list = append(list, rest)
		} else if l == keyword {
			list = append(list, "")
		}
	}
	return list
}

// wantLines checks the lines of a keyword.
func wantLines(t *testing.T, name string, text []byte, keyword string, want ...string) {
	t.Helper()
	if got := lines(text, keyword); !slices.Equal(got, want) {
		t.Errorf("%s: %s %q, want %q", name, keyword, got, want)
	}
}

func list(words ...any) (l params.List) {
	for i := 0; i < len(words); i += 2 {
		l = append(l, params.Value{Name: words[i].(string), Value: int32(words[i+1].(int))})
	}
	return l
}
