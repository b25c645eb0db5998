package congestion

import "github.com/tropea-net/tropea/internal/wire/params"

// Path is the kind of a circuit: what is normal for the queues on one is too much on another.
type Path uint8

// The kinds.
const (
	ExitPath  Path = iota // three hops or more, and single onion services
	OnionPath             // joined at a rendezvous point
	SbwsPath              // two hops, as bandwidth scanners use them
)

// Params are the consensus parameters of congestion control for one kind of circuit. They do not change once made.
//
// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
type Params struct {
	Enabled bool
	Inc     int // DATA cells that one SENDME acknowledges

	cwndInit, cwndMin, cwndMax int // cells
	cwndInc, cwndIncRate       int
	incPctSS                   int // percent
	ssMax, ssCap               int // cells

	alpha, beta, gamma, delta int // cells

	fullGap     int // SENDMEs
	fullMinPct  int
	fullPerCwnd bool

	ewmaPct, ewmaMax, ewmaSS int
	rttResetPct              int

	Flow FlowParams
}

// FlowParams are those of XON and XOFF.
type FlowParams struct {
	XoffClient, XoffExit int // bytes that may wait at a client or onion service, and at an exit
	XonRate              int // bytes between two looks at the rate
	XonChangePct         int
	XonEwmaCnt           int
}

// Bytes of a cell as the thresholds count them; C tor has two values (congestion_control_flow.c).
const (
	xoffCell = 488
	xonCell  = 498
)

// ReadParams reads the parameters for circuits of the given kind.
func ReadParams(l params.List, path Path) *Params {
	of := func(p params.Param) int { return int(l.Of(p)) }
	byPath := func(exit, onion, sbws params.Param) int { return of([...]params.Param{exit, onion, sbws}[path]) }
	return &Params{
		Enabled: of(params.CCAlg) != int(Fixed), // C tor takes whatever it does not know for Vegas
		Inc:     of(params.CCSendmeInc),

		cwndInit: of(params.CCCwndInit), cwndMin: of(params.CCCwndMin), cwndMax: of(params.CCCwndMax),
		cwndInc: of(params.CCCwndInc), cwndIncRate: of(params.CCCwndIncRate), incPctSS: of(params.CCCwndIncPctSS),
		ssMax: of(params.CCSSMax), ssCap: byPath(params.CCSSCapExit, params.CCSSCapOnion, params.CCSSCapSbws),

		alpha: byPath(params.CCVegasAlphaExit, params.CCVegasAlphaOnion, params.CCVegasAlphaSbws),
		beta:  byPath(params.CCVegasBetaExit, params.CCVegasBetaOnion, params.CCVegasBetaSbws),
		gamma: byPath(params.CCVegasGammaExit, params.CCVegasGammaOnion, params.CCVegasGammaSbws),
		delta: byPath(params.CCVegasDeltaExit, params.CCVegasDeltaOnion, params.CCVegasDeltaSbws),

		fullGap: of(params.CCCwndFullGap), fullMinPct: of(params.CCCwndFullMinPct),
		fullPerCwnd: of(params.CCCwndFullPerCwnd) != 0,

		ewmaPct: of(params.CCEwmaCwndPct), ewmaMax: of(params.CCEwmaMax), ewmaSS: of(params.CCEwmaSS),
		rttResetPct: of(params.CCRTTResetPct),

		Flow: FlowParams{
			XoffClient: of(params.CCXoffClient) * xoffCell, XoffExit: of(params.CCXoffExit) * xoffCell,
			XonRate: of(params.CCXonRate) * xonCell, XonChangePct: of(params.CCXonChangePct), XonEwmaCnt: of(params.CCXonEwmaCnt),
		},
	}
}

// GoodInc tells whether a relay may set the given increment: the two ends may have consensuses of different hours.
func (p *Params) GoodInc(inc int) bool { return inc > 0 && p.Inc-1 <= inc && inc <= p.Inc+1 }
