package tally

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/torversion"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// A chosen is an entry of the consensus.
type chosen struct {
	status    consensus.RouterStatus // as in the ns flavor
	microdesc [32]byte               // zero: the relay is not in the microdesc flavor
	flags     string
	exit      bool // for the weights: Exit without BadExit
	guard     bool
}

// relays makes the entries, ascending by identity.
func (t *tally) relays() []chosen {
	flags := t.newFlagCounter()
	bw := t.newBandwidths()
	var out []chosen
	for c := range collate(t.votes, t.cfg.Authorities) {
		if r, ok := t.relay(c, flags, bw); ok {
			out = append(out, r)
		}
	}
	return out
}

// relay makes the entry of one relay. ok is false if it is not to be listed.
func (t *tally) relay(c *candidate, flags *flagCounter, bw *bandwidths) (out chosen, ok bool) {
	flags.count(c)
	if !flags.has(flagRunning) || !flags.has(flagValid) {
		return out, false
	}
	listing := slices.DeleteFunc(slices.Clone(c.entries), func(r *vote.Relay) bool { return r == nil })
	winner := mostVoted(listing)

	s := &out.status
	*s = consensus.RouterStatus{
		ID: winner.Status.ID, Digest: winner.Status.Digest, Published: winner.Status.Published,
		Addr4: winner.Status.Addr4, ORPort: winner.Status.ORPort, DirPort: winner.Status.DirPort,
	}
	nickname := winner.Status.Nickname()
	if given, ok := flags.names.given(c.entries); ok {
		nickname = given
	}
	s.SetNickname(nickname)
	flags.name(nickname, s.ID)
	flags.middleOnly()
	out.flags = flags.text()
	out.guard = flags.has(flagGuard)
	out.exit = flags.has(flagExit) && !flags.has(flagBadExit)

	s.Version = t.version(listing)
	s.Protos = protocols(listing)
	s.Policy = t.policy(listing, winner)
	bw.choose(s, listing, out.guard)

	same := slices.DeleteFunc(listing, func(r *vote.Relay) bool { return compareEntries(r, winner) != 0 })
	s.Addr6, s.ORPort6 = address6(same)
	out.microdesc = t.microdesc(same)
	return out, true
}

// compareEntries orders entries of one relay. Those that come from the same descriptor are equal (compare_vote_rs in
// C tor).
func compareEntries(a, b *vote.Relay) int {
	s, r := &a.Status, &b.Status
	return cmp.Or(
		bytes.Compare(s.Digest[:], r.Digest[:]),
		cmp.Compare(r.Published, s.Published),
		strings.Compare(r.Nickname(), s.Nickname()),
		bytes.Compare(s.Addr4[:], r.Addr4[:]),
		cmp.Compare(r.ORPort, s.ORPort),
		cmp.Compare(r.DirPort, s.DirPort),
	)
}

// mostVoted returns the entry that most votes have, of several the one published last, and then the one with the lowest
// digest. It sorts the entries.
func mostVoted(entries []*vote.Relay) (best *vote.Relay) {
	count := 0
	slices.SortStableFunc(entries, compareEntries)
	for run := range runs(entries, func(a, b *vote.Relay) bool { return compareEntries(a, b) == 0 }) {
		if len(run) > count || len(run) == count && run[0].Status.Published > best.Status.Published {
			best, count = run[0], len(run)
		}
	}
	return best
}

// version returns the version that most votes tell, of several the latest, or none.
func (t *tally) version(entries []*vote.Relay) string {
	var list []string
	for _, r := range entries {
		if r.Status.Version != "" {
			list = append(list, r.Status.Version)
		}
	}
	slices.SortStableFunc(list, t.compareVersions)
	best, _ := mostFrequent(list, same)
	return best
}

// compareVersions is torversion.CompareText; there are some ten different versions in tens of thousands of entries.
func (t *tally) compareVersions(a, b string) int {
	if a == b {
		return 0
	}
	v, w := t.parseVersion(a), t.parseVersion(b)
	if v.ok && w.ok {
		return v.v.Compare(&w.v)
	}
	return torversion.CompareText(a, b)
}

func (t *tally) parseVersion(text string) parsedVersion {
	p, ok := t.versions[text]
	if !ok {
		p.v, p.ok = torversion.Parse(text)
		t.versions[text] = p
	}
	return p
}

// protocols returns the pr line that most votes have, of several the last in byte order.
func protocols(entries []*vote.Relay) *consensus.Protos {
	list := make([]*consensus.Protos, len(entries))
	for i, r := range entries {
		list[i] = r.Status.Protos
	}
	slices.SortFunc(list, func(a, b *consensus.Protos) int { return strings.Compare(a.Text, b.Text) })
	best, _ := mostFrequent(list, func(a, b *consensus.Protos) bool { return a.Text == b.Text })
	return best
}

// policy returns the summary of the exit policy out of the winning descriptor, since that is what clients will see. If no
// vote for this descriptor has one, it is the one that most votes have.
func (t *tally) policy(entries []*vote.Relay, winner *vote.Relay) string {
	collect := func(all bool) (list []string) {
		for _, r := range entries {
			if r.Status.Policy != "" && (all || r.Status.Digest == winner.Status.Digest) {
				list = append(list, r.Status.Policy)
			}
		}
		slices.Sort(list)
		return list
	}
	list := collect(false)
	if len(list) == 0 {
		list = collect(true)
	} else if list[0] != list[len(list)-1] {
		t.warn("votes disagree on the exit policy of descriptor %X", winner.Status.Digest[:20])
	}
	best, _ := mostFrequent(list, same)
	return best
}

// address6 returns the IPv6 address that most entries have, zero if none has one.
func address6(entries []*vote.Relay) (addr [16]byte, port uint16) {
	type addrPort struct {
		addr [16]byte
		port uint16
	}
	var list []addrPort
	for _, r := range entries {
		if r.Status.Addr6 != [16]byte{} && r.Status.ORPort6 != 0 {
			list = append(list, addrPort{r.Status.Addr6, r.Status.ORPort6})
		}
	}
	slices.SortFunc(list, func(a, b addrPort) int {
		return cmp.Or(bytes.Compare(a.addr[:], b.addr[:]), cmp.Compare(b.port, a.port))
	})
	best, _ := mostFrequent(list, same)
	return best.addr, best.port
}

// microdesc returns the digest of the microdescriptor that most entries have, of several the highest; zero if none has one.
func (t *tally) microdesc(entries []*vote.Relay) [32]byte {
	var list [][32]byte
	for _, r := range entries {
		if digest, ok := r.Microdesc(t.method); ok {
			list = append(list, digest)
		}
	}
	slices.SortFunc(list, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	best, _ := mostFrequent(list, same)
	return best
}
