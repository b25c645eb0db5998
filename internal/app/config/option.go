package config

import (
	"iter"
	"slices"
	"strings"
)

// Kind is the type of an option's value.
type Kind uint8

const (
	String Kind = iota
	Filename
	Int
	PosInt
	Uint64
	MemUnit
	Interval
	MsecInterval
	Float
	Bool
	AutoBool
	CSV
	CSVInterval // an interval; more of them, behind commas, once meant something
	NodeSet
	Lines    // each line adds a value
	Virtual  // all lines of a group, in order; cannot be set
	Obsolete // accepted with a warning
)

// String returns the name of the type in the control protocol.
func (k Kind) String() string {
	return [...]string{
		"String", "Filename", "SignedInteger", "Integer", "Integer", "DataSize", "TimeInterval", "TimeMsecInterval", "Float", "Boolean",
		"Boolean+Auto", "CommaList", "TimeInterval", "RouterList", "LineList", "Virtual", "Obsolete",
	}[k]
}

// Flags say more about an option.
type Flags uint8

const Restart Flags = 1 // cannot be changed while running

// Effect says what setting an option does in this version.
type Effect uint8

const (
	Ignored Effect = iota // nothing, and a warning says so
	Refused               // an error: without the effect, the result would not be what the user relies on
	Built
)

// Option is a row of the table.
type Option struct {
	Name    string
	Kind    Kind
	Default string // as in a file; empty for an empty value
	Flags   Flags
	Group   string // Virtual option that holds the lines of several Lines options in order; empty if it stands alone
	Effect  Effect
	Help    string // one line
	Part    string // of Tor that it belongs to
}

// Transient tells whether the option stays out of saved files: a program that starts us sets it for this run.
func (o *Option) Transient() bool { return strings.HasPrefix(o.Name, "__") }

// list is where the lines of a Lines option are kept.
func (o *Option) list() string {
	if o.Group != "" {
		return o.Group
	}
	return o.Name
}

// options holds every name that can stand in a file, in alphabetical order whatever the case of letters.
var options = func() (all []*Option) {
	groups := map[string]bool{}
	for part, table := range tables() {
		for i := range table {
			o := &table[i]
			o.Part = part
			all = append(all, o)
			if o.Group != "" && !groups[o.Group] {
				groups[o.Group] = true
				all = append(all, &Option{Name: o.Group, Kind: Virtual, Part: part})
			}
		}
	}
	for name := range strings.FieldsSeq(obsoleteNames) {
		all = append(all, &Option{Name: name, Kind: Obsolete})
	}
	slices.SortFunc(all, func(a, b *Option) int { return strings.Compare(fold(a.Name), fold(b.Name)) })
	return all
}()

var byName = func() map[string]*Option {
	m := make(map[string]*Option, len(options))
	for _, o := range options {
		m[fold(o.Name)] = o
	}
	return m
}()

func tables() iter.Seq2[string, []Option] {
	return func(yield func(string, []Option) bool) {
		_ = yield("process", processOptions) && yield("client", clientOptions) && yield("directory client", directoryOptions) &&
			yield("bridge and proxy client", bridgeClientOptions) && yield("local ports", localPortsOptions) && yield("relay", relayOptions) &&
			yield("onion service", onionServiceOptions) && yield("directory authority", authorityOptions) && yield("test network", testingOptions) &&
			yield(ownPart, ownOptions)
	}
}

// fold makes names comparable: options are ASCII and their case does not count.
func fold(name string) string { return strings.ToLower(name) }

// Options yields the options that can be set, in alphabetical order.
func Options() iter.Seq[*Option] {
	return func(yield func(*Option) bool) {
		for _, o := range options {
			if o.Kind != Virtual && o.Kind != Obsolete && !yield(o) {
				return
			}
		}
	}
}
