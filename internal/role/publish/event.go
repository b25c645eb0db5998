package publish

import "net/netip"

// Events, in the order in which a relay that starts well has them. The names behind them are those of the control
// protocol's STATUS_SERVER.
type (
	// ExternalAddress tells which address the relay believes to have, and how it was found (EXTERNAL_ADDRESS).
	ExternalAddress struct {
		Addr   netip.Addr
		Method Method
	}
	// Made tells that there is a new descriptor (DESCCHANGED).
	Made struct{ Documents *Documents }
	// Checking tells that an ORPort is being tested (CHECKING_REACHABILITY).
	Checking struct{ OR netip.AddrPort }
	// Reachable tells that the test went well (REACHABILITY_SUCCEEDED).
	Reachable struct{ OR netip.AddrPort }
	// Unreachable tells that it has failed for long (REACHABILITY_FAILED).
	Unreachable struct{ OR netip.AddrPort }
	// Accepted tells that an authority has taken the descriptor (ACCEPTED_SERVER_DESCRIPTOR, GOOD_SERVER_DESCRIPTOR).
	Accepted struct{ Authority string }
	// Rejected tells that an authority finds the descriptor wrong (BAD_SERVER_DESCRIPTOR). The reason is its own words, made
	// printable.
	Rejected struct{ Authority, Reason string }
)

func (p *Publisher) tell(e any) {
	if p.cfg.Events != nil {
		p.cfg.Events.Publish(e)
	}
}
