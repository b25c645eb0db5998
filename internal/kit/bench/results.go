package bench

import (
	"slices"
)

// A side is one of the two programs.
type side int

const (
	theirs side = iota
	ours
)

func (s side) String() string { return [...]string{"peer", "ours"}[s] }

// A quantity is something that is measured of both sides. Quantities are comparable.
type quantity struct {
	name, unit string
	goal       goal
}

// A value is one measurement.
type value struct {
	of quantity
	v  float64
}

// Results are the values of all quantities, in the order of their first appearance.
type results struct {
	order  []quantity
	values map[quantity]*[2][]float64
}

// add takes the values that one side got in one round.
func (r *results) add(s side, values []value) {
	if r.values == nil {
		r.values = map[quantity]*[2][]float64{}
	}
	for _, x := range values {
		both := r.values[x.of]
		if both == nil {
			both = new([2][]float64)
			r.values[x.of] = both
			r.order = append(r.order, x.of)
		}
		both[s] = append(both[s], x.v)
	}
}

// ratios divides ours by theirs, round by round. A round in which theirs was nothing has no ratio.
func ratios(both *[2][]float64) []float64 {
	var list []float64
	for i := range min(len(both[theirs]), len(both[ours])) {
		if both[theirs][i] != 0 {
			list = append(list, both[ours][i]/both[theirs][i])
		}
	}
	return list
}

// A summary is what is told of a list of values.
type summary struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// summarize returns nil for an empty list.
func summarize(list []float64) *summary {
	if len(list) == 0 {
		return nil
	}
	return &summary{quantile(list, 0.5), slices.Min(list), slices.Max(list)}
}

// quantile returns the value below which the part q of a list lies, between two neighbours where it falls between them.
// The list must not be empty.
func quantile(list []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
