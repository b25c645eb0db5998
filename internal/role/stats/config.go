package stats

import (
	"iter"
	"log/slog"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// Config is what an operator chooses, and what statistics have to know of the relay. The zero Config counts what C tor does
// by default, and keeps it in memory.
type Config struct {
	State     statefile.Store // where each day's statistics are kept; nil: nowhere
	Log       *slog.Logger    // nil: nowhere
	Countries Countries       // nil: not known; nobody's requests are counted, then, nor are clients

	// What is counted beyond the defaults, and what is not.
	Cells     bool // CellStatistics
	Links     bool // ConnDirectionStatistics
	Entry     bool // EntryStatistics
	ExitPorts bool // ExitPortStatistics

	NoDirReq              bool // DirReqStatistics 0
	NoHidServ             bool // HiddenServiceStatistics 0
	NoOverload, NoPadding bool // OverloadStatistics 0, PaddingStatistics 0

	NoExtraInfo bool // ExtraInfoStatistics 0: all this is for the operator alone

	Rate, Burst uint64 // BandwidthRate and BandwidthBurst, in bytes per second and bytes

	// RelayRate is RelayBandwidthRate, in bytes per second, or 0. No more than this is published as used, lest what an
	// operator uses himself show.
	RelayRate uint64

	// MinTime is how long the relay must have been up before its bandwidth of today counts; 0 is a day, and what is negative no
	// time (TestingMinTimeToReportBandwidth).
	MinTime time.Duration

	// Circuits yields the circuits that are open, and resets what they count. It is called at the end of a day, if
	// Cells is set; nil is none.
	Circuits func() iter.Seq[Circuit]
}

// Countries knows where addresses are. Package lib/geoip has one.
type Countries interface {
	Country(netip.Addr) string                 // in lower case; "??" if not known
	Digest(ipv6 bool) (sha1 [20]byte, ok bool) // of the file of a family, if there is one
}

// The consensus parameters. https://spec.torproject.org/param-spec.html
var (
	onionskinPercent = params.Param{Name: "overload_onionskin_ntor_scale_percent", Default: 1000, Min: 0, Max: 100_000}
	onionskinPeriod  = params.Param{Name: "overload_onionskin_ntor_period_secs", Default: 6 * 60 * 60, Min: 0, Max: 1<<31 - 1}
)
