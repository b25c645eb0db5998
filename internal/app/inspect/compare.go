package inspect

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrCompare is the error for documents that cannot be compared.
var ErrCompare = errors.New("only consensuses and votes can be compared")

// A Difference is how two consensuses or votes differ.
type Difference struct {
	Header    Table // what is told of the network
	Params    Table // parameters and weights
	OnlyA     Table // relays
	OnlyB     Table
	Flags     Table
	Numbers   Table // bandwidths, the largest differences first
	Others    Table // everything else of relays
	Both      int   // relays that are in both
	Identical int   // of them, those that do not differ

	alike bool // the documents are of one kind
}

// Compare compares two consensuses or votes. If they are of different kinds, what only one of them can tell is left out.
func Compare(a, b *Document) (*Difference, error) {
	if a.net == nil || b.net == nil {
		return nil, ErrCompare
	}
	x, y := a.net(), b.net()
	d := &Difference{
		alike:   x.kind == y.kind,
		Header:  Table{Columns: []string{"item", "A", "B"}},
		Params:  Table{Columns: []string{"name", "A", "B"}},
		OnlyA:   Table{Columns: []string{"fingerprint", "nickname", "bandwidth", "flags"}},
		OnlyB:   Table{Columns: []string{"fingerprint", "nickname", "bandwidth", "flags"}},
		Flags:   Table{Columns: []string{"fingerprint", "nickname", "only A", "only B"}},
		Numbers: Table{Columns: []string{"fingerprint", "nickname", "what", "A", "B", "change"}},
		Others:  Table{Columns: []string{"fingerprint", "nickname", "what", "A", "B"}},
	}
	for _, name := range names(x.header, y.header) {
		if v, w := x.header.Get(name), y.header.Get(name); d.differ(name, v, w) {
			d.Header.row(name, v, w)
		}
	}
	d.params(x.params, y.params)
	d.relays(x.relays, y.relays)
	slices.SortStableFunc(d.Numbers.Rows, func(x, y []any) int { return cmp.Compare(distance(y), distance(x)) })
	return d, nil
}

// distance is by how much the numbers of a row differ. One that is missing counts as zero.
func distance(row []any) int64 {
	a, _ := row[3].(int64)
	b, _ := row[4].(int64)
	return max(a-b, b-a)
}

// differ compares values of a name. Digests are those of different documents if the kinds differ.
func (d *Difference) differ(name string, x, y any) bool {
	return x != y && (d.alike || x != nil && y != nil && name != "digest")
}

// params compares words of the form name=value.
func (d *Difference) params(a, b []string) {
	values := func(words []string) (o Object) {
		for _, w := range words {
			name, value, _ := strings.Cut(w, "=")
			o.add(name, value)
		}
		return o
	}
	x, y := values(a), values(b)
	for _, name := range names(x, y) {
		if v, w := x.Get(name), y.Get(name); v != w {
			d.Params.row(name, v, w)
		}
	}
}

// relays merges two lists.
func (d *Difference) relays(a, b []entry) {
	for len(a) > 0 || len(b) > 0 {
		order := 0
		switch {
		case len(a) == 0:
			order = 1
		case len(b) == 0:
			order = -1
		default:
			order = bytes.Compare(a[0].id[:], b[0].id[:])
		}
		switch {
		case order < 0:
			d.OnlyA.row(a[0].name(), a[0].nickname, a[0].numbers.Get("bandwidth"), strings.Join(a[0].flags, " "))
			a = a[1:]
		case order > 0:
			d.OnlyB.row(b[0].name(), b[0].nickname, b[0].numbers.Get("bandwidth"), strings.Join(b[0].flags, " "))
			b = b[1:]
		default:
			d.relay(&a[0], &b[0])
			a, b = a[1:], b[1:]
		}
	}
}

// relay compares two entries of one relay.
func (d *Difference) relay(a, b *entry) {
	d.Both++
	same := true
	x, y := without(a.flags, b.flags), without(b.flags, a.flags)
	if x != nil || y != nil {
		d.Flags.row(a.name(), a.nickname, x, y)
		same = false
	}
	for _, name := range names(a.numbers, b.numbers) {
		x, y := a.numbers.Get(name), b.numbers.Get(name)
		if !d.differ(name, x, y) {
			continue
		}
		same = false
		var change any
		before, ok := x.(int64)
		if after, has := y.(int64); ok && has && before != 0 {
			change = fmt.Sprintf("%+.0f%%", 100*float64(after-before)/float64(before))
		}
		d.Numbers.row(a.name(), a.nickname, name, x, y, change)
	}
	for _, name := range names(a.rest, b.rest) {
		if x, y := a.rest.Get(name), b.rest.Get(name); d.differ(name, x, y) {
			d.Others.row(a.name(), a.nickname, name, x, y)
			same = false
		}
	}
	if same {
		d.Identical++
	}
}

// without lists what is in a and not in b, as one text; nil if there is nothing.
func without(a, b []string) any {
	var words []string
	for _, w := range a {
		if !slices.Contains(b, w) {
			words = append(words, w)
		}
	}
	if words == nil {
		return nil
	}
	return strings.Join(words, " ")
}

func (d *Difference) object() Object {
	o := Object{{"relays-in-both", d.Both}, {"identical", d.Identical}}
	for _, f := range []struct {
		name string
		t    Table
	}{
		{"header", d.Header}, {"params", d.Params}, {"only-in-a", d.OnlyA}, {"only-in-b", d.OnlyB},
		{"flags", d.Flags}, {"bandwidths", d.Numbers}, {"others", d.Others},
	} {
		o.add(f.name, f.t)
	}
	return o
}

// MarshalJSON leaves out what does not differ.
func (d *Difference) MarshalJSON() ([]byte, error) { return d.object().MarshalJSON() }

// maxRows bounds each list of differences in text unless all are wanted.
const maxRows = 20

// AppendText appends the differences.
func (d *Difference) AppendText(dst []byte, all bool) []byte {
	w := &writer{b: dst}
	w.line("relays in both %d, of these identical %d", d.Both, d.Identical)
	for _, f := range d.object()[2:] {
		t := f.Value.(Table)
		n := len(t.Rows)
		if !all {
			t.Rows = t.Rows[:min(n, maxRows)]
		}
		w.line("%s: %d", f.Name, n)
		w.table("  ", t)
		if left := n - len(t.Rows); left > 0 {
			w.line("  … %d more", left)
		}
	}
	return w.b
}
