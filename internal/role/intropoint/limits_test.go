package intropoint

import (
	"math"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/circext"
)

// https://spec.torproject.org/rend-spec/introduction-protocol.html#EST_INTRO_DOS_EXT
func TestOwnLimits(t *testing.T) {
	dos := func(rate, burst uint64) circext.Extension {
		return circext.IntroDoS{Rate: rate, Burst: burst}.Extension()
	}
	broken := circext.Extension{Type: circext.TypeIntroDoS, Body: []byte{2}}
	off := &limits{}
	for _, tt := range []struct {
		name string
		exts circext.List
		want *limits
	}{
		{"none", nil, nil},
		{"another extension", circext.List{{Type: 7, Body: []byte{1}}}, nil},
		{"cut short", circext.List{broken}, nil},
		{"both", circext.List{dos(25, 200)}, &limits{true, 25, 200}},
		{"the same", circext.List{dos(25, 25)}, &limits{true, 25, 25}},
		{"the most", circext.List{dos(math.MaxInt32, math.MaxInt32)}, &limits{true, math.MaxInt32, math.MaxInt32}},
		{"more than that", circext.List{dos(1, math.MaxInt32+1)}, off},
		{"much more than that", circext.List{dos(1, math.MaxUint64)}, off},
		{"burst below rate", circext.List{dos(2, 1)}, off},
		{"no rate", circext.List{dos(0, 200)}, off},
		{"no burst", circext.List{dos(25, 0)}, off},
		{"the last counts", circext.List{dos(25, 200), dos(0, 0)}, off},
		{"the last that can be parsed counts", circext.List{dos(25, 200), broken}, &limits{true, 25, 200}},
	} {
		got := ownLimits(tt.exts)
		if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// What passes is what C tor lets pass: of a burst, all but one.
func TestBucket(t *testing.T) {
	for _, tt := range []struct {
		name string
		l    limits
		at   []int64 // seconds at which 100 come
		want []int   // of these pass
	}{
		{"burst", limits{true, 5, 50}, []int64{0, 0, 1, 2}, []int{49, 0, 4, 4}},
		{"full again", limits{true, 5, 50}, []int64{0, 100, 200}, []int{49, 49, 49}},
		{"a rate of nothing", limits{true, 0, 50}, []int64{0, 1000}, []int{49, 0}},
		{"a burst of one", limits{true, 1, 1}, []int64{0, 1000}, []int{0, 0}},
		{"the most", limits{true, math.MaxInt32, math.MaxInt32}, []int64{0, math.MaxInt32}, []int{100, 100}},
		{"a clock that goes back", limits{true, 5, 50}, []int64{10, 0, 1}, []int{49, 0, 4}},
	} {
		var b bucket
		b.fill(tt.at[0], tt.l)
		for i, at := range tt.at {
			n := 0
			for range 100 {
				if b.take(at, tt.l) {
					n++
				}
			}
			if n != tt.want[i] {
				t.Errorf("%s: at %d %d passed, want %d", tt.name, at, n, tt.want[i])
			}
		}
	}
}
