package cell

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

var versionsTable = wiretest.Table[Versions]{
	Spec:   "https://spec.torproject.org/tor-spec/negotiating-channels.html",
	Parse:  ParseVersions,
	Append: Versions.AppendTo,
	Good: []wiretest.Good[Versions]{
		{Name: "3 to 5", Hex: "0003 0004 0005", Msg: Versions{[]uint16{3, 4, 5}}},
		{Name: "unknown version", Hex: "0004 ffff", Msg: Versions{[]uint16{4, 0xffff}}},
		{Name: "none", Msg: Versions{[]uint16{}}},
	},
	Bad: []wiretest.Bad{
		{Name: "one byte", Hex: "00", Err: ErrMalformed},
		{Name: "odd length", Hex: "0003 0004 00", Err: ErrMalformed},
	},
	Refused: []wiretest.Refused[Versions]{
		{Name: "too many", Msg: Versions{make([]uint16, MaxVariableLen/2+1)}, Err: ErrTooLong},
	},
}

func TestVersions(t *testing.T) { versionsTable.Test(t) }
func FuzzVersions(f *testing.F) { versionsTable.Fuzz(f) }

// "Both parties MUST select as the link protocol version the highest number contained both in the VERSIONS cell they sent
// and in the versions cell they received."
// https://spec.torproject.org/tor-spec/negotiating-channels.html
func TestHighest(t *testing.T) {
	m := Versions{[]uint16{4, 5, 6}}
	for _, c := range []struct {
		ours []uint16
		want uint16
	}{
		{nil, 0},
		{[]uint16{1, 2, 3, 77}, 0},
		{[]uint16{4, 5, 6, 7}, 6},
		{[]uint16{5, 4, 11}, 5},
		{[]uint16{3, 4}, 4},
	} {
		if got := m.Highest(c.ours...); got != c.want {
			t.Errorf("%v and %v: got %d, want %d", m.Versions, c.ours, got, c.want)
		}
	}
}
