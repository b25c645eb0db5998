package tally

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/vote"
)

// Flags with rules of their own.
const (
	flagBadExit       = "BadExit"
	flagExit          = "Exit"
	flagGuard         = "Guard"
	flagMiddleOnly    = "MiddleOnly"
	flagNamed         = "Named"
	flagNoEdConsensus = "NoEdConsensus"
	flagRunning       = "Running"
	flagUnnamed       = "Unnamed"
	flagValid         = "Valid"
)

// notForMiddles are the flags that a relay loses with MiddleOnly, since consensus method 32.
var notForMiddles = []string{flagExit, "V2Dir", flagGuard, "HSDir"}

// knownFlags returns all flags that any vote knows, and NoEdConsensus, which the computation sets itself.
func knownFlags(votes []*vote.Vote) []string {
	all := []string{flagNoEdConsensus}
	for _, v := range votes {
		all = append(all, v.KnownFlags...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A flagCounter decides the flags of relays.
type flagCounter struct {
	flags  []string // of the consensus
	index  [][]int  // by vote and bit: position in flags
	voters []int    // by position in flags: how many votes know the flag
	names  *names

	counts []int // of the relay at hand, by position in flags
	chosen []bool
	texts  map[string]string // interned s lines
}

func (t *tally) newFlagCounter() *flagCounter {
	n := len(t.flags)
	f := &flagCounter{
		flags: t.flags, voters: make([]int, n), names: newNames(t.votes),
		counts: make([]int, n), chosen: make([]bool, n), texts: map[string]string{},
	}
	for _, v := range t.votes {
		index := make([]int, len(v.KnownFlags))
		for bit, name := range v.KnownFlags {
			index[bit] = f.position(name)
			f.voters[index[bit]]++
		}
		f.index = append(f.index, index)
	}
	return f
}

// position returns the index of a flag, -1 if no vote knows it.
func (f *flagCounter) position(name string) int {
	if i, ok := slices.BinarySearch(f.flags, name); ok {
		return i
	}
	return -1
}

// count adds up the flags of a relay and chooses those that more than half of the votes give it that know them.
func (f *flagCounter) count(c *candidate) {
	clear(f.counts)
	for i, r := range c.entries {
		if r != nil {
			for set := uint64(r.Flags); set != 0; set &= set - 1 {
				f.counts[f.index[i][bits.TrailingZeros64(set)]]++
			}
		}
	}
	for i := range f.flags {
		f.chosen[i] = f.counts[i] > f.voters[i]/2
	}
	f.set(flagNoEdConsensus, c.agreed == 0)
}

// middleOnly applies what MiddleOnly means.
func (f *flagCounter) middleOnly() {
	if !f.has(flagMiddleOnly) {
		return
	}
	for _, name := range notForMiddles {
		f.set(name, false)
	}
	f.set(flagBadExit, true)
}

// name sets the two flags about the relay's nickname.
func (f *flagCounter) name(nickname string, id [20]byte) {
	named, unnamed := f.names.of(nickname, id)
	f.set(flagNamed, named)
	f.set(flagUnnamed, unnamed)
}

func (f *flagCounter) has(name string) bool {
	i := f.position(name)
	return i >= 0 && f.chosen[i]
}

// set chooses a flag or not; a flag that no vote knows is left out.
func (f *flagCounter) set(name string, on bool) {
	if i := f.position(name); i >= 0 {
		f.chosen[i] = on
	}
}

// text returns the chosen flags, separated by spaces.
func (f *flagCounter) text() string {
	var b []byte
	for i, on := range f.chosen {
		if on {
			if len(b) > 0 {
				b = append(b, ' ')
			}
			b = append(b, f.flags[i]...)
		}
	}
	s, ok := f.texts[string(b)]
	if !ok {
		s = string(b)
		f.texts[s] = s
	}
	return s
}

// names knows whose a nickname is. Authorities gave out names once; a vote that does so again is to be understood.
type names struct {
	bits   []vote.Flags // by vote: the bit of Named, 0 if the vote does not know it
	owners map[string]owner
}

// An owner is the relay that a nickname belongs to.
type owner struct {
	id    [20]byte
	known bool // false: of several relays, or of one that no vote tells
}

func newNames(votes []*vote.Vote) *names {
	n := &names{owners: map[string]owner{}}
	conflict := owner{}
	for _, v := range votes {
		named := v.FlagsOf(flagNamed)
		n.bits = append(n.bits, named)
		for r := range withFlag(v, named) {
			key := strings.ToLower(r.Status.Nickname())
			mine := owner{r.Status.ID, true}
			if o, ok := n.owners[key]; !ok {
				n.owners[key] = mine
			} else if o != mine {
				n.owners[key] = conflict
			}
		}
	}
	for _, v := range votes {
		for r := range withFlag(v, v.FlagsOf(flagUnnamed)) {
			key := strings.ToLower(r.Status.Nickname())
			if o, ok := n.owners[key]; !ok || o.known && o.id == r.Status.ID {
				n.owners[key] = conflict
			}
		}
	}
	return n
}

// withFlag yields the relays of a vote that have a flag, none if the flag is 0.
func withFlag(v *vote.Vote, flag vote.Flags) func(yield func(*vote.Relay) bool) {
	return func(yield func(*vote.Relay) bool) {
		for i := range v.Relays {
			if r := &v.Relays[i]; r.Flags&flag != 0 && !yield(r) {
				return
			}
		}
	}
}

// of reports whether a nickname belongs to this relay, or to another.
func (n *names) of(nickname string, id [20]byte) (named, unnamed bool) {
	if len(n.owners) == 0 {
		return false, false
	}
	o, ok := n.owners[strings.ToLower(nickname)]
	if !ok {
		return false, false
	}
	named = o.known && o.id == id
	return named, !named
}

// given returns the nickname that votes give to a relay with the flag Named, if they agree on one.
func (n *names) given(entries []*vote.Relay) (nickname string, ok bool) {
	for i, r := range entries {
		if r == nil || r.Flags&n.bits[i] == 0 {
			continue
		}
		if ok && nickname != r.Status.Nickname() {
			return "", false
		}
		nickname, ok = r.Status.Nickname(), true
	}
	return nickname, ok
}
