package tally

import "testing"

// The values are those of C tor's test of the same computation (test_dir.c), with the case of each in its terms.
//
// https://spec.torproject.org/dir-spec/computing-consensus.html
func TestWeights(t *testing.T) {
	for _, tt := range []struct {
		name       string
		g, m, e, d int64
		want       string // "" if there are none
	}{
		{"empty", 0, 0, 0, 0, ""},
		{"one each", 1, 1, 1, 1, " Wbd=3333 Wbe=0 Wbg=0 Wbm=10000 Wdb=10000 Web=10000 Wed=3333 Wee=10000 Weg=3333 Wem=10000 Wgb=10000 " +
			"Wgd=3333 Wgg=10000 Wgm=10000 Wmb=10000 Wmd=3333 Wme=0 Wmg=0 Wmm=10000"},
		{"1", 10, 1, 10, 1, " Wbd=3333 Wbe=3000 Wbg=3000 Wbm=10000 Wdb=10000 Web=10000 Wed=3333 Wee=7000 Weg=3333 Wem=7000 Wgb=10000 " +
			"Wgd=3333 Wgg=7000 Wgm=7000 Wmb=10000 Wmd=3333 Wme=3000 Wmg=3000 Wmm=10000"},
		{"2a, exits scarce", 20, 100, 5, 5, " Wbd=0 Wbe=0 Wbg=0 Wbm=10000 Wdb=10000 Web=10000 Wed=10000 Wee=10000 Weg=10000 Wem=10000 " +
			"Wgb=10000 Wgd=0 Wgg=10000 Wgm=10000 Wmb=10000 Wmd=0 Wme=0 Wmg=0 Wmm=10000"},
		{"2a, guards scarce", 5, 100, 20, 5, " Wbd=0 Wbe=0 Wbg=0 Wbm=10000 Wdb=10000 Web=10000 Wed=0 Wee=10000 Weg=0 Wem=10000 " +
			"Wgb=10000 Wgd=10000 Wgg=10000 Wgm=10000 Wmb=10000 Wmd=0 Wme=0 Wmg=0 Wmm=10000"},
		{"2b, exits with D are as many as guards", 1, 3, 2, 1, ""}, // nearly 2a, which has weights
		{"2b1", 10, 10, 30, 100, " Wbd=4000 Wbe=0 Wbg=0 Wbm=10000 Wdb=10000 Web=10000 Wed=2000 Wee=10000 Weg=2000 Wem=10000 " +
			"Wgb=10000 Wgd=4000 Wgg=10000 Wgm=10000 Wmb=10000 Wmd=4000 Wme=0 Wmg=0 Wmm=10000"},
		{"2b1 of September 2013", 3091352, 1838837, 2109300, 2469369, " Wbd=317 Wbe=5938 Wbg=0 Wbm=10000 Wdb=10000 Web=10000 Wed=9366 " +
			"Wee=4061 Weg=9366 Wem=4061 Wgb=10000 Wgd=317 Wgg=10000 Wgm=10000 Wmb=10000 Wmd=317 Wme=5938 Wmg=0 Wmm=10000"},
		{"2b2", 10, 60, 30, 100, " Wbd=666 Wbe=0 Wbg=0 Wbm=10000 Wdb=10000 Web=10000 Wed=3666 Wee=10000 Weg=3666 Wem=10000 " +
			"Wgb=10000 Wgd=5668 Wgg=10000 Wgm=10000 Wmb=10000 Wmd=666 Wme=0 Wmg=0 Wmm=10000"},
		{"2b3", 30, 80, 30, 30, ""},
		{"3a, guards scarce", 10, 10, 30, 5, " Wbd=0 Wbe=3333 Wbg=0 Wbm=10000 Wdb=10000 Web=10000 Wed=0 Wee=6667 Weg=0 Wem=6667 " +
			"Wgb=10000 Wgd=10000 Wgg=10000 Wgm=10000 Wmb=10000 Wmd=0 Wme=3333 Wmg=0 Wmm=10000"},
		{"3a, exits scarce", 30, 10, 10, 5, " Wbd=0 Wbe=0 Wbg=3333 Wbm=10000 Wdb=10000 Web=10000 Wed=10000 Wee=10000 Weg=10000 " +
			"Wem=10000 Wgb=10000 Wgd=0 Wgg=6667 Wgm=6667 Wmb=10000 Wmd=0 Wme=0 Wmg=3333 Wmm=10000"},
		{"3a of October 2016", 29322240, 4721546, 1522058, 9273571, " Wbd=0 Wbe=0 Wbg=4194 Wbm=10000 Wdb=10000 Web=10000 Wed=10000 " +
			"Wee=10000 Weg=10000 Wem=10000 Wgb=10000 Wgd=0 Wgg=5806 Wgm=5806 Wmb=10000 Wmd=0 Wme=0 Wmg=4194 Wmm=10000"},
		{"3b, guards scarce", 10, 10, 30, 10, " Wbd=0 Wbe=3334 Wbg=0 Wbm=10000 Wdb=10000 Web=10000 Wed=0 Wee=6666 Weg=0 Wem=6666 " +
			"Wgb=10000 Wgd=10000 Wgg=10000 Wgm=10000 Wmb=10000 Wmd=0 Wme=3334 Wmg=0 Wmm=10000"},
		{"3b, exits scarce", 30, 10, 10, 10, " Wbd=0 Wbe=0 Wbg=3334 Wbm=10000 Wdb=10000 Web=10000 Wed=10000 Wee=10000 Weg=10000 " +
			"Wem=10000 Wgb=10000 Wgd=0 Wgg=6666 Wgm=6666 Wmb=10000 Wmd=0 Wme=0 Wmg=3334 Wmm=10000"},
		{"3b of July 2013", 5483409, 1455379, 980834, 3385803, " Wbd=883 Wbe=0 Wbg=3673 Wbm=10000 Wdb=10000 Web=10000 Wed=8233 " +
			"Wee=10000 Weg=8233 Wem=10000 Wgb=10000 Wgd=883 Wgg=6327 Wgm=6327 Wmb=10000 Wmd=883 Wme=0 Wmg=3673 Wmm=10000"},
	} {
		sum := totals{tt.g, tt.m, tt.e, tt.d, tt.g + tt.m + tt.e + tt.d}
		got := ""
		if w, problem := sum.weights(defaultWeightScale); problem == "" {
			got = string(w.list(defaultWeightScale).AppendTo(nil))
		}
		if got != tt.want {
			t.Errorf("%s:\n got%s\nwant%s", tt.name, got, tt.want)
		}
	}
}

// No votes, however strange, make weights that are out of range, or a panic.
func FuzzWeights(f *testing.F) {
	f.Add(int64(10), int64(60), int64(30), int64(100), int64(10000))
	f.Add(int64(1), int64(1), int64(1), int64(1), int64(1))
	f.Fuzz(func(t *testing.T, g, m, e, d, scale int64) {
		const most = 1 << 45 // thousands of relays with the highest bandwidth
		if min(g, m, e, d, scale) < 1 || max(g, m, e, d) > most || scale > 1<<31-1 {
			return
		}
		sum := totals{g, m, e, d, g + m + e + d}
		if w, problem := sum.weights(scale); problem == "" && scale <= 10000 {
			for _, v := range w.list(scale) {
				if v.Value < 0 || int64(v.Value) > scale {
					t.Fatalf("%+v: %s=%d of %d", sum, v.Name, v.Value, scale)
				}
			}
		}
	})
}
