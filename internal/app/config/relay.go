package config

import (
	"time"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Relay is what a daemon needs to be a relay. Bandwidth, Limits, Outbound and Heartbeat are for every node; of Bandwidth,
// Rate and Burst.
type Relay struct {
	ORPorts  []ORPort // none: this is no relay
	DirPorts []DirPort

	Nickname  string   // "Unnamed" if a relay sets none
	Contact   string   // one line; empty if not set
	Addresses []string // Address lines: IP addresses, or names to look up
	Families  RelayFamilies
	Keys      RelayKeys

	NoIPv6        bool // AddressDisableIPv6: publish no IPv6 address
	Publish       bool // send the descriptor to the directory authorities
	AssumeIPv4    bool // AssumeReachable: publish without testing
	AssumeIPv6    torrc.AutoBool
	DirCache      bool
	FrontPage     string // file; empty for none
	DirPolicy     exitpolicy.Policy
	ExtendPrivate bool // ExtendAllowPrivateAddresses

	Exit      RelayExit
	DNS       RelayDNS
	Bandwidth RelayBandwidth
	Account   Accounting
	Limits    RelayLimits
	DoS       DoS
	Stats     RelayStats
	Outbound  Outbound
	Heartbeat time.Duration // HeartbeatPeriod; 0 for never
}

// newRelay takes the settings of a relay. What the options say must be sound even if there is no ORPort, as in C tor.
func newRelay(v *Values, host Host) (r Relay, err error) {
	if r.ORPorts, r.DirPorts, err = newORPorts(v); err != nil {
		return r, err
	}
	r = Relay{
		ORPorts: r.ORPorts, DirPorts: r.DirPorts, NoIPv6: v.Bool("AddressDisableIPv6"),
		AssumeIPv4: v.Bool("AssumeReachable"), AssumeIPv6: v.AutoBool("AssumeReachableIPv6"),
		DirCache: v.Bool("DirCache"), ExtendPrivate: v.Bool("ExtendAllowPrivateAddresses"),
		DNS: RelayDNS{
			SearchDomains: v.Bool("ServerDNSSearchDomains"), AllowBroken: v.Bool("ServerDNSAllowBrokenConfig"),
			DetectHijacking: v.Bool("ServerDNSDetectHijacking"), TestAddresses: v.CSV("ServerDNSTestAddresses"),
			OddHostnames: v.Bool("ServerDNSAllowNonRFC953Hostnames"), RandomizeCase: v.Bool("ServerDNSRandomizeCase"),
		},
		Bandwidth: RelayBandwidth{
			Rate: v.Uint64("BandwidthRate"), Burst: v.Uint64("BandwidthBurst"),
			RelayRate: v.Uint64("RelayBandwidthRate"), RelayBurst: v.Uint64("RelayBandwidthBurst"),
			PerConnRate: v.Uint64("PerConnBWRate"), PerConnBurst: v.Uint64("PerConnBWBurst"),
			MaxAdvertised: v.Uint64("MaxAdvertisedBandwidth"), CountPrivate: v.Bool("CountPrivateBandwidth"),
		},
		DoS: newDoS(v), Stats: newStats(v), Heartbeat: v.Duration("HeartbeatPeriod"),
	}
	r.Limits = RelayLimits{
		MaxOnionDelay: v.Duration("MaxOnionQueueDelay"), MaxMemInQueues: v.maxMemInQueues(r.Enabled(), host.Memory),
		ConnLimit: v.Int("ConnLimit"), ShutdownWait: v.Duration("ShutdownWaitLength"), DisableOOSCheck: v.Bool("DisableOOSCheck"),
		MaxHSDirCache: v.Uint64("MaxHSDirCacheBytes"), MaxConsensusAge: v.Duration("MaxConsensusAgeForDiffs"), NumCPUs: v.Int("NumCPUs"),
	}
	if s := v.Float("CircuitPriorityHalflife"); s >= 0 {
		r.Limits.PriorityHalflife = max(time.Duration(s*float64(time.Second)), time.Millisecond)
	}
	for _, step := range []func() error{
		func() error { return r.identify(v, host) },
		func() (err error) { r.Publish, err = newPublish(v); return err },
		func() (err error) { r.Outbound, err = newOutbound(v); return err },
		func() (err error) { r.Account, err = newAccounting(v); return err },
		func() (err error) { r.Exit, err = newExit(v, r.Enabled()); return err },
		func() (err error) { r.DirPolicy, err = v.addresses("DirPolicy", exitpolicy.BareRefused); return err },
		func() (err error) { r.FrontPage, err = v.path("DirPortFrontPage", host); return err },
		func() (err error) { r.DNS.ResolvConf, err = v.path("ServerDNSResolvConfFile", host); return err },
		func() (err error) { r.Stats.GeoIP, err = v.path("GeoIPFile", host); return err },
		func() (err error) { r.Stats.GeoIP6, err = v.path("GeoIPv6File", host); return err },
	} {
		if err := step(); err != nil {
			return r, err
		}
	}
	if !r.Enabled() {
		return r, nil
	}
	if err := v.checkRelay(); err != nil {
		return r, err
	}
	r.remark(v, host)
	return r, nil
}

// checkRelay refuses what a client may do and a relay may not.
func (v *Values) checkRelay() error {
	if err := v.forbid([]contradiction{
		{"ConnectionPadding", v.AutoBool("ConnectionPadding") != torrc.Auto, "must be auto on a relay"},
		{"ReducedConnectionPadding", v.Bool("ReducedConnectionPadding"), "must be 0 on a relay"},
		{"CircuitPadding", !v.Bool("CircuitPadding"), "must be 1 on a relay"},
		{"ReducedCircuitPadding", v.Bool("ReducedCircuitPadding"), "must be 0 on a relay"},
		{"ClientUseIPv4", !v.Bool("ClientUseIPv4"), "must be 1 on a relay, which connects to all others"},
		{"ReachableDirAddresses", v.IsSet("ReachableDirAddresses"), "cannot be set on a relay, which connects to all others"},
	}); err != nil {
		return err
	}
	return v.checkRelayBandwidth()
}

// remark warns about what a relay may do and seldom should.
func (r *Relay) remark(v *Values, host Host) {
	if r.Contact == "" {
		v.warn("Your ContactInfo config option is not set. Please strongly consider setting it, so that we can contact you if your relay is misconfigured or something else goes wrong. A relay without it might get rejected from the network.")
	}
	v.remarkCache(host.Memory)
	if len(r.DirPorts) > 0 && v.Bool("ConstrainedSockets") {
		v.warn("ConstrainedSockets makes it hard to serve directory documents on the DirPort: consider to remove one of them.")
	}
	if r.Account.Max > 0 && r.hasLowPort() && v.AutoBool("KeepBindCapabilities") == torrc.No {
		v.warn("With KeepBindCapabilities 0, a port below 1024 may not open again after the hibernation that AccountingMax brings. Choose a higher port, or give up one of these options.")
	}
}

// RelayDNS says how names are looked up for clients.
type RelayDNS struct {
	ResolvConf      string // empty: the system's
	SearchDomains   bool
	AllowBroken     bool
	DetectHijacking bool
	TestAddresses   []string
	OddHostnames    bool
	RandomizeCase   bool
}

// RelayBandwidth is in bytes and bytes per second; 0 in a Relay or PerConn field is no limit of its own.
type RelayBandwidth struct {
	Rate, Burst           uint64
	RelayRate, RelayBurst uint64
	PerConnRate           uint64
	PerConnBurst          uint64
	MaxAdvertised         uint64
	CountPrivate          bool
}

// RelayLimits bound what the relay takes.
type RelayLimits struct {
	MaxOnionDelay   time.Duration // MaxOnionQueueDelay; 0: what the consensus says
	MaxMemInQueues  uint64        // bytes; never 0: the machine's memory decides unless the option does
	ConnLimit       int           // file descriptors that must be there
	ShutdownWait    time.Duration
	DisableOOSCheck bool
	MaxHSDirCache   uint64
	MaxConsensusAge time.Duration // MaxConsensusAgeForDiffs; 0: what the consensus says
	NumCPUs         int           // 0: all

	PriorityHalflife time.Duration // CircuitPriorityHalflife; 0: what the consensus says
}

// DoS has the settings of the defences; a number of 0, and auto, leave it to the consensus.
type DoS struct {
	CircuitCreation torrc.AutoBool
	Circuit         struct {
		MinConnections, Rate, Burst, Defense int
		Period                               time.Duration
	}
	Connection torrc.AutoBool
	Conn       struct {
		MaxConcurrent, ConnectRate, ConnectBurst, Defense int
		Period                                            time.Duration
	}
	StreamCreation torrc.AutoBool
	Stream         struct{ Rate, Burst, Defense int }
	SingleHopRend  torrc.AutoBool // DoSRefuseSingleHopClientRendezvous
}

// RelayStats says which statistics are published.
type RelayStats struct {
	ExtraInfo                                                                      bool // in the extra-info document at all
	Cell, ConnDirection, DirReq, Entry, ExitPort, HiddenService, Overload, Padding bool
	GeoIP, GeoIP6                                                                  string // files
}

func newDoS(v *Values) DoS {
	d := DoS{
		CircuitCreation: v.AutoBool("DoSCircuitCreationEnabled"), Connection: v.AutoBool("DoSConnectionEnabled"),
		StreamCreation: v.AutoBool("DoSStreamCreationEnabled"), SingleHopRend: v.AutoBool("DoSRefuseSingleHopClientRendezvous"),
	}
	for name, n := range map[string]*int{
		"DoSCircuitCreationMinConnections": &d.Circuit.MinConnections, "DoSCircuitCreationRate": &d.Circuit.Rate,
		"DoSCircuitCreationBurst": &d.Circuit.Burst, "DoSCircuitCreationDefenseType": &d.Circuit.Defense,
		"DoSConnectionMaxConcurrentCount": &d.Conn.MaxConcurrent, "DoSConnectionConnectRate": &d.Conn.ConnectRate,
		"DoSConnectionConnectBurst": &d.Conn.ConnectBurst, "DoSConnectionDefenseType": &d.Conn.Defense,
		"DoSStreamCreationRate": &d.Stream.Rate, "DoSStreamCreationBurst": &d.Stream.Burst, "DoSStreamCreationDefenseType": &d.Stream.Defense,
	} {
		*n = v.Int(name)
	}
	d.Circuit.Period = v.Duration("DoSCircuitCreationDefenseTimePeriod")
	d.Conn.Period = v.Duration("DoSConnectionConnectDefenseTimePeriod")
	return d
}

func newStats(v *Values) RelayStats {
	return RelayStats{
		ExtraInfo: v.Bool("ExtraInfoStatistics"), Cell: v.Bool("CellStatistics"), ConnDirection: v.Bool("ConnDirectionStatistics"),
		DirReq: v.Bool("DirReqStatistics"), Entry: v.Bool("EntryStatistics"), ExitPort: v.Bool("ExitPortStatistics"),
		HiddenService: v.Bool("HiddenServiceStatistics"), Overload: v.Bool("OverloadStatistics"), Padding: v.Bool("PaddingStatistics"),
	}
}
