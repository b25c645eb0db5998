package client

import (
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/padding"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// policy returns what the user's choice and the consensus, which may not be there yet, make of link padding.
//
// https://spec.torproject.org/padding-spec/connection-level-padding.html
func (p Padding) policy(v *netdir.View) link.PaddingPolicy {
	if p == PadNone {
		return link.PaddingPolicy{}
	}
	var list params.List
	if v != nil {
		list = v.Consensus().Params
	}
	low, high := params.NFIdleLow, params.NFIdleHigh
	if p == PadReduced {
		low, high = params.NFIdleLowReduced, params.NFIdleHighReduced
	}
	ms := func(x params.Param) time.Duration { return time.Duration(list.Of(x)) * time.Millisecond }
	return link.PaddingPolicy{
		Low: ms(low), High: max(ms(low), ms(high)),
		Reduced:     p == PadReduced,
		BeforeUsage: list.Of(params.NFPadBeforeUsage) != 0,
	}
}

// circuitPadding returns what the user's choice and the consensus, which may not be there yet, make of circuit padding.
//
// https://spec.torproject.org/padding-spec/circuit-level-padding.html
func (c *Config) circuitPadding(v *netdir.View) padding.Params {
	var list params.List
	if v != nil {
		list = v.Consensus().Params
	}
	p := padding.ReadParams(list)
	p.Disabled = p.Disabled || c.NoCircuitPadding
	p.Reduced = p.Reduced || c.ReducedCircuitPadding
	return p
}
