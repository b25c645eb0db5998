package consensus

import (
	"iter"
	"slices"
)

// Flags is a set of flags of a relay. The low half has fixed meanings; flags that this version does not know have the bits
// that Consensus.Flag tells, which differ from one consensus to the next.
type Flags uint64

// The flags that this version knows, in the order in which they are written.
const (
	Authority Flags = 1 << iota
	BadExit
	Exit
	Fast
	Guard
	HSDir
	MiddleOnly
	NoEdConsensus
	Running
	Stable
	StaleDesc
	Sybil
	V2Dir
	Valid
)

var flagNames = []string{"Authority", "BadExit", "Exit", "Fast", "Guard", "HSDir", "MiddleOnly", "NoEdConsensus", "Running",
	"Stable", "StaleDesc", "Sybil", "V2Dir", "Valid"}

// firstUnknown is the bit of the first flag in known-flags that this version does not know.
const firstUnknown = 32

// Has reports whether f has all of want.
func (f Flags) Has(want Flags) bool { return f&want == want }

// Flag returns the bit of a flag, 0 if the consensus does not know it.
func (c *Consensus) Flag(name string) Flags {
	for known, bit := range c.flagBits() {
		if known == name {
			return bit
		}
	}
	return 0
}

// flagBits yields the known flags and their bits.
func (c *Consensus) flagBits() iter.Seq2[string, Flags] {
	return func(yield func(string, Flags) bool) {
		next := firstUnknown
		for _, name := range c.KnownFlags {
			bit, fixed := fixedFlag(name)
			if !fixed {
				bit = 1 << next // vanishes from the 33rd unknown flag on
				next++
			}
			if !yield(name, bit) {
				return
			}
		}
	}
}

func fixedFlag(name string) (Flags, bool) {
	i := slices.Index(flagNames, name)
	return 1 << max(i, 0), i >= 0
}

// Names lists the flags of a relay as they are written, in the order of known-flags.
func (c *Consensus) Names(f Flags) []string {
	var names []string
	for name, bit := range c.flagBits() {
		if bit != 0 && f.Has(bit) {
			names = append(names, name)
		}
	}
	return names
}
