package voteoracle

import "fmt"

// sizes are how many authorities there are, in turn.
var sizes = []int{3, 4, 5, 6, 7, 8, 9}

// balanced are shares with which neither guards nor exits are scarce.
var balanced = [4]int{400, 100, 400, 100}

// defaultMethods are those of the plans that are about something else, in turn.
var defaultMethods = [][]string{
	{"32 33 34 35"}, {"32 33 34 35"}, {"32 33 34"}, {"32 33 34 35"}, {"32 33"}, {"32 33 34 35"}, {"32 33 34 35"}, {"32 33 34"}, {"32"},
}

// Plans returns all plans: a theme, where one thing is in dispute, is voted upon by few and many authorities.
func Plans() []Plan {
	var plans []Plan
	n := 0
	add := func(theme string, times int, p Plan) {
		for i := range times {
			q := p
			if q.Authorities == 0 {
				q.Authorities = sizes[n%len(sizes)]
			}
			if q.Voters = q.Authorities - n/len(sizes)%3; q.Voters <= q.Authorities/2 {
				q.Voters = q.Authorities
			}
			q.Self = q.Authorities / 2
			q.OwnVote = n%4 == 1
			if q.Shares == [4]int{} {
				q.Shares = balanced
			}
			if q.Methods == nil {
				q.Methods = defaultMethods[n%len(defaultMethods)]
			}
			q.Name = fmt.Sprintf("%s-%d", theme, i+1)
			plans = append(plans, q)
			n++
		}
	}
	add("empty", 2, Plan{})
	add("one-relay", 2, Plan{Relays: 1})
	add("agreement", 5, Plan{Relays: 12, Measuring: 9})
	add("listing", 7, Plan{Relays: 24, Listing: 1})
	add("descriptor", 7, Plan{Relays: 24, Desc: 1})
	add("flags", 7, Plan{Relays: 24, Flag: .25})
	add("known-flags", 6, Plan{Relays: 24, Flag: .2, KnownFlag: .15})
	add("naming", 4, Plan{Relays: 24, Desc: .5, Naming: .5, Flag: .05})
	add("identity", 8, Plan{Relays: 30, Ed: 1, Listing: .2})
	add("ipv6", 4, Plan{Relays: 20, IPv6: 1, Desc: .2})
	add("version", 4, Plan{Relays: 20, Version: 1})
	add("protocols", 4, Plan{Relays: 20, Protos: 1, Lists: 1})
	add("bandwidth", 6, Plan{Relays: 24, Bandwidth: .8, Measuring: 2})
	add("measured", 8, Plan{Relays: 24, Bandwidth: .8, Measuring: 9, Listing: .2})
	add("measured-by-three", 3, Plan{Relays: 24, Bandwidth: .5, Measuring: 3, FixedParams: []string{"maxunmeasuredbw=35"}})
	add("guard-fraction", 5, Plan{Relays: 24, Bandwidth: .3, Measuring: 4, GuardFractions: 4, Flag: .05, Shares: [4]int{500, 100, 200, 200}})
	add("policy", 5, Plan{Relays: 24, Policy: 1, Desc: .6})
	add("microdesc", 6, Plan{Relays: 24, Microdesc: 1, Desc: .2})
	add("lists", 7, Plan{Relays: 3, Lists: 1})
	add("params", 7, Plan{Relays: 8, Params: 1, Measuring: 9})
	add("srv", 7, Plan{Relays: 3, SRV: 1, Params: .3})
	add("srv-fresh", 14, Plan{Relays: 3, SRV: 1, FreshSRV: true})
	add("srv-agreements", 7, Plan{Relays: 3, SRV: 1, FreshSRV: true, FixedParams: []string{"AuthDirNumSRVAgreements=5"}})
	add("times", 5, Plan{Relays: 3, Times: 1})
	add("legacy-key", 3, Plan{Relays: 3, Legacy: .6})
	add("shuffled", 2, Plan{Relays: 12, Shuffle: 1, Listing: .3, Desc: .3, Microdesc: .3})
	for i, methods := range [][]string{
		{"32"}, {"32 33"}, {"32 33 34"}, {"32 33 34 35"}, {"32 33 34 35", "32 33 34"}, {"32 33 34 35", "32 33 34 35", "32 33 34 35", "32 33"},
		{"32 33", "32 33 34 35", "32"}, {"28 29 30 31 32 33", "31 32 33 34"}, {"33 34 35 36 37"}, {"32 33", "34 35"}, {"35 34 33 32", "33 32"},
		{"1 32 32 32 33 33", "32"},
	} {
		add(fmt.Sprintf("methods-%02d", i+1), 2, Plan{Relays: 16, Methods: methods, Microdesc: .5, Desc: .2, Lists: .3, Flag: .05})
	}
	for _, w := range []struct {
		name   string
		shares [4]int
	}{
		{"neither-scarce", [4]int{400, 100, 400, 100}}, {"neither-scarce-even", [4]int{370, 130, 370, 130}},
		{"both-scarce-exit-less", [4]int{300, 500, 150, 50}}, {"both-scarce-guard-less", [4]int{150, 500, 300, 50}},
		{"both-scarce-balanced", [4]int{300, 100, 300, 300}}, {"both-scarce-middle", [4]int{200, 300, 200, 300}},
		{"both-scarce-much-middle", [4]int{100, 500, 100, 300}}, {"both-scarce-no-middle", [4]int{10, 0, 10, 980}},
		{"guard-scarce", [4]int{100, 300, 500, 100}}, {"guard-scarce-much-middle", [4]int{80, 480, 400, 40}},
		{"exit-scarce", [4]int{500, 300, 100, 100}}, {"exit-scarce-much-middle", [4]int{400, 480, 80, 40}},
		{"guard-scarce-many-both", [4]int{100, 100, 400, 400}}, {"exit-scarce-many-both", [4]int{400, 100, 100, 400}},
		{"no-both", [4]int{300, 400, 300, 0}}, {"no-exit", [4]int{500, 500, 0, 0}}, {"no-guard", [4]int{0, 600, 400, 0}},
	} {
		add("weights-"+w.name, 1, Plan{Relays: 40, Shares: w.shares, Measuring: 9, Plain: true})
	}
	// One relay of each kind, and the tally adds 1 to each sum: what is compared in order to tell the cases is the same.
	for i, shares := range [][4]int{
		{99, 49, 99, 49}, {99, 99, 49, 49}, {49, 99, 99, 49}, {79, 139, 39, 39}, {39, 139, 79, 39}, {99, 99, 99, 99}, {99, 129, 19, 49}, {19, 129, 99, 49},
	} {
		add(fmt.Sprintf("weights-border-%d", i+1), 1, Plan{Relays: 4, Shares: shares, Exact: true, Plain: true})
	}
	add("weight-scale", 3, Plan{Plain: true, Relays: 30, Measuring: 9, FixedParams: []string{"bwweightscale=1000"}, Params: .2})
	everything := Plan{
		Relays: 20, Listing: .3, Desc: .2, Flag: .05, KnownFlag: .05, Ed: .2, IPv6: .3, Version: .2, Protos: .2, Bandwidth: .3, Policy: .1,
		Microdesc: .2, Lists: .5, Params: .5, SRV: .3, Times: .2, Legacy: .1, Naming: .05, Shuffle: .05, Measuring: 4, GuardFractions: 3,
	}
	add("everything", 28, everything)
	everything.Methods = []string{"32 33 34 35", "32 33 34 35", "32 33 34", "32 33 34 35", "32 33"}
	add("everything-methods", 7, everything)
	two := everything
	two.Authorities = 2
	add("two-authorities", 3, two)
	everything.Relays = 200
	add("large", 2, everything)
	add("huge-bandwidth", 3, Plan{Relays: 12, Huge: .3, Bandwidth: .3, Measuring: 9, FixedParams: []string{"maxunmeasuredbw=2147483647"}})
	return plans
}
