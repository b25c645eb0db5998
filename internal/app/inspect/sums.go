package inspect

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// maxVersions bounds the list of versions.
const maxVersions = 12

// A count counts relays and their bandwidth, in kilobytes per second.
type count struct {
	name      string
	relays    int
	bandwidth int64
}

func (t *count) add(r *consensus.RouterStatus) {
	t.relays++
	t.bandwidth += int64(r.Bandwidth)
}

// row makes the values of a line: count, share, bandwidth, share.
func (t *count) row(all count) []any {
	return []any{t.relays, shareOf(int64(t.relays), int64(all.relays)), t.bandwidth, shareOf(t.bandwidth, all.bandwidth)}
}

// A share is a part of a whole, 0 to 1. JSON has four digits of it.
type share float64

func (s share) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%.4f", s), nil }

// String is the share in percent.
func (s share) String() string { return fmt.Sprintf("%.1f%%", 100*float64(s)) }

func shareOf(part, all int64) any {
	if all == 0 {
		return nil
	}
	return share(float64(part) / float64(all))
}

// addSums tells how many relays there are of which kind.
func addSums(o *Object, c *consensus.Consensus) {
	var all count
	flags := make([]count, len(c.KnownFlags))
	bits := make([]consensus.Flags, len(c.KnownFlags))
	for i, name := range c.KnownFlags {
		bits[i] = c.Flag(name)
	}
	versions := map[string]*count{}
	kinds := []struct {
		count
		is func(*consensus.RouterStatus) bool
	}{
		{count{name: "with IPv6"}, func(r *consensus.RouterStatus) bool { return r.IPv6().IsValid() }},
		{count{name: "measured"}, func(r *consensus.RouterStatus) bool { return r.HasBandwidth && !r.Unmeasured }},
		{count{name: "unmeasured"}, func(r *consensus.RouterStatus) bool { return r.HasBandwidth && r.Unmeasured }},
		{count{name: "without bandwidth"}, func(r *consensus.RouterStatus) bool { return !r.HasBandwidth }},
		{count{name: "lack required protocols"}, func(r *consensus.RouterStatus) bool {
			missing := r.Protos.Set.Missing(&c.RequiredRelay)
			return !missing.IsEmpty()
		}},
	}
	for i := range c.Relays {
		r := &c.Relays[i]
		all.add(r)
		for j, bit := range bits {
			if bit != 0 && r.Flags.Has(bit) {
				flags[j].add(r)
			}
		}
		for j := range kinds {
			if kinds[j].is(r) {
				kinds[j].add(r)
			}
		}
		if versions[r.Version] == nil {
			versions[r.Version] = &count{}
		}
		versions[r.Version].add(r)
	}
	t := Table{Columns: []string{"kind", "relays", "share", "kB/s", "kB/s-share"}}
	t.row(append([]any{"all"}, all.row(all)...)...)
	for _, k := range kinds {
		t.row(append([]any{k.name}, k.row(all)...)...)
	}
	o.add("relays", t)
	positions := [...]count{{name: "neither"}, {name: "guard"}, {name: "exit"}, {name: "guard and exit"}}
	for i := range c.Relays {
		r := &c.Relays[i]
		p := 0
		if r.Flags.Has(consensus.Guard) {
			p++
		}
		if r.Flags.Has(consensus.Exit) && !r.Flags.Has(consensus.BadExit) {
			p += 2
		}
		positions[p].add(r)
	}
	t = Table{Columns: []string{"position", "relays", "share", "kB/s", "kB/s-share"}}
	for _, p := range positions {
		t.row(append([]any{p.name}, p.row(all)...)...)
	}
	o.add("positions", t)
	t = Table{Columns: []string{"flag", "relays", "share", "kB/s", "kB/s-share"}}
	for j, name := range c.KnownFlags {
		t.row(append([]any{name}, flags[j].row(all)...)...)
	}
	o.add("flags", t)
	addVersionSums(o, versions, all)
}

func addVersionSums(o *Object, versions map[string]*count, all count) {
	names := make([]string, 0, len(versions))
	for name := range versions {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(versions[b].relays, versions[a].relays), cmp.Compare(a, b))
	})
	t := Table{Columns: []string{"version", "relays", "share", "kB/s", "kB/s-share"}}
	var rest count
	for i, name := range names {
		if i >= maxVersions {
			rest.relays += versions[name].relays
			rest.bandwidth += versions[name].bandwidth
			continue
		}
		row := versions[name].row(all)
		if name == "" {
			name = "not told"
		}
		t.row(append([]any{name}, row...)...)
	}
	if rest.relays > 0 {
		t.row(append([]any{fmt.Sprintf("%d others", len(names)-maxVersions)}, rest.row(all)...)...)
	}
	o.add("versions", t)
}
