package tally

import (
	"slices"

	"github.com/tropea-net/tropea/internal/wire/params"
)

// minParamVotes are enough votes for a parameter, even if most of the authorities say nothing of it.
const minParamVotes = 3

// Parameters that the computation itself depends on. They are read as voted, without bounds (see their uses).
const (
	paramSRVAgreements = "AuthDirNumSRVAgreements"
	paramMaxUnmeasured = "maxunmeasuredbw" // kilobytes per second
	paramWeightScale   = "bwweightscale"

	defaultMaxUnmeasured = 20
	defaultWeightScale   = 10000
)

// computeParams returns the medians of the parameters that more than half of the authorities, or three, vote for.
//
// https://spec.torproject.org/dir-spec/computing-consensus.html
func (t *tally) computeParams() params.List {
	values := map[string][]int32{}
	for _, v := range t.votes {
		for _, p := range v.Params {
			values[p.Name] = append(values[p.Name], p.Value)
		}
	}
	var list params.List
	for name, vals := range values {
		if len(vals) > t.cfg.Authorities/2 || len(vals) >= minParamVotes {
			list = append(list, params.Value{Name: name, Value: median(vals)})
		}
	}
	slices.SortFunc(list, func(a, b params.Value) int { return params.Compare(a.Name, b.Name) })
	return list
}

// param returns a parameter of the new consensus.
func (t *tally) param(name string, def int32) int32 {
	if v, ok := t.params.Lookup(name); ok {
		return v
	}
	return def
}
