package padding

import "github.com/tropea-net/tropea/internal/wire/params"

// Params are what the consensus, and at a client the user, says of circuit padding.
type Params struct {
	Disabled bool // nobody pads
	Reduced  bool // only machines pad that cost little, and neither of these is one
	Free     uint64
	Percent  uint64 // of all cells that a node may send as padding, after the first Free ones; 0 for no bound
	Queued   int    // a relay adds no padding to more cells than these
}

// ReadParams reads a consensus's list, which may be empty.
func ReadParams(l params.List) Params {
	return Params{
		Disabled: l.Of(params.CircPadDisabled) != 0, Reduced: l.Of(params.CircPadReduced) != 0,
		Free: uint64(l.Of(params.CircPadAllowedCells)), Percent: uint64(l.Of(params.CircPadMaxPct)), Queued: int(l.Of(params.CircPadMaxQueued)),
	}
}

// Over tells whether a node that has sent so many cells of padding, and others, has padded enough.
func (p *Params) Over(padding, other uint64) bool {
	return p.Percent != 0 && padding >= p.Free && over(padding, other, p.Percent)
}
