package config

import (
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/app/logfmt"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Client is what a daemon needs to be a client.
type Client struct {
	Process    Process
	Log        logfmt.Options // without Program and Quiet
	SocksPorts []SocksPort
	Nodes      Nodes
	Dirs       Dirs
	Links      Links
	Circuits   Circuits
	Streams    Streams

	OnionAuthDir string // keys for onion services that know their clients (ClientOnionAuthDir); empty for none
}

// Process is about the process and its files.
type Process struct {
	DataDirectory  string
	CacheDirectory string
	PidFile        string // empty for none
	RunAsDaemon    bool
	User           string // to become; empty for none
	DisableNetwork bool   // open no connection and no port
	TestNetwork    bool
}

// Nodes says which relays to use where.
type Nodes struct {
	Entry, Middle, Exit  torrc.NodeSet  // empty: any
	Exclude, ExcludeExit torrc.NodeSet  // ExcludeExit is in addition to Exclude
	Layer2, Layer3       torrc.NodeSet  // second and third hops to onion services; empty: any
	Vanguards            torrc.AutoBool // keep second hops to onion services for a while
	FullVanguards        bool           // keep second and third hops
	Strict               bool           // obey Exclude even where that breaks something
	Families             []torrc.NodeSet
	DistinctSubnets      bool
}

// Dirs says whom to ask for documents.
type Dirs struct {
	Authorities      []trusteddirs.Authority
	Fallbacks        []trusteddirs.Fallback
	Microdescriptors torrc.AutoBool
	AllowPrivate     bool // believe descriptors with private addresses
}

// Links says how to connect to relays.
type Links struct {
	IPv4, IPv6     bool
	PreferIPv6     torrc.AutoBool
	Padding        torrc.AutoBool
	ReducedPadding bool
}

// Circuits says how to build them and how long they live. A time of 0 leaves the choice to the program.
type Circuits struct {
	BuildTimeout      time.Duration
	LearnBuildTimeout bool
	MaxDirtiness      time.Duration
	IdleTimeout       time.Duration // CircuitsAvailableTimeout
	NewPeriod         time.Duration
	MaxPending        int
	LongLivedPorts    []uint16
	PathsNeeded       float64 // share of paths, from 0.25 to 0.95; negative leaves the choice to the program
	AllowPrivate      bool    // extend to private addresses
	NoPadding         bool    // CircuitPadding 0
	ReducedPadding    bool
}

// Streams says what requests of local programs may be.
type Streams struct {
	SocksTimeout      time.Duration
	StreamTimeout     time.Duration // CircuitStreamTimeout; 0 leaves the choice to the program
	SafeSocks         bool          // refuse what shows a local name lookup
	TestSocks         bool          // log whether each request is safe
	AllowOddHostnames bool
	WarnPorts         []uint16
	RejectPorts       []uint16
	RejectInternal    bool // refuse private addresses
	RejectInternalDNS bool // disbelieve private addresses as answers
}

// newClient takes the settings of a client from values that are checked.
func newClient(v *Values, host Host) (c Client, err error) {
	if c.Process, err = newProcess(v, host); err != nil {
		return c, err
	}
	if c.Log, err = newLog(v, host); err != nil {
		return c, err
	}
	if c.OnionAuthDir, err = v.path("ClientOnionAuthDir", host); err != nil {
		return c, err
	}
	if c.SocksPorts, err = newSocksPorts(v, host); err != nil {
		return c, err
	}
	if c.Nodes, err = newNodes(v); err != nil {
		return c, err
	}
	if c.Dirs, err = newDirs(v); err != nil {
		return c, err
	}
	c.Links = Links{
		IPv4: v.Bool("ClientUseIPv4"), IPv6: v.Bool("ClientUseIPv6"), PreferIPv6: v.AutoBool("ClientPreferIPv6ORPort"),
		Padding: v.AutoBool("ConnectionPadding"), ReducedPadding: v.Bool("ReducedConnectionPadding"),
	}
	c.Circuits = Circuits{
		BuildTimeout: v.Duration("CircuitBuildTimeout"), LearnBuildTimeout: v.Bool("LearnCircuitBuildTimeout"),
		MaxDirtiness: v.Duration("MaxCircuitDirtiness"), IdleTimeout: v.Duration("CircuitsAvailableTimeout"),
		NewPeriod: v.Duration("NewCircuitPeriod"), MaxPending: v.Int("MaxClientCircuitsPending"),
		PathsNeeded: v.Float("PathsNeededToBuildCircuits"), AllowPrivate: v.Bool("ExtendAllowPrivateAddresses"),
		NoPadding: !v.Bool("CircuitPadding"), ReducedPadding: v.Bool("ReducedCircuitPadding"),
	}
	c.Streams = Streams{
		SocksTimeout: v.Duration("SocksTimeout"), StreamTimeout: v.Duration("CircuitStreamTimeout"),
		SafeSocks: v.Bool("SafeSocks"), TestSocks: v.Bool("TestSocks"), AllowOddHostnames: v.Bool("AllowNonRFC953Hostnames"),
		RejectInternal: v.Bool("ClientRejectInternalAddresses"), RejectInternalDNS: v.Bool("ClientDNSRejectInternalAddresses"),
	}
	for name, ports := range map[string]*[]uint16{
		"LongLivedPorts": &c.Circuits.LongLivedPorts, "WarnPlaintextPorts": &c.Streams.WarnPorts, "RejectPlaintextPorts": &c.Streams.RejectPorts,
	} {
		if *ports, err = v.ports(name); err != nil {
			return c, err
		}
	}
	return c, nil
}

func newProcess(v *Values, host Host) (p Process, err error) {
	p = Process{
		RunAsDaemon: v.Bool("RunAsDaemon"), User: v.String("User"), DisableNetwork: v.Bool("DisableNetwork"), TestNetwork: v.Bool("TestingTorNetwork"),
	}
	if p.DataDirectory, err = v.path("DataDirectory", host); err != nil {
		return p, err
	}
	if p.DataDirectory == "" {
		p.DataDirectory = host.expand(host.DataDir)
	}
	if p.CacheDirectory, err = v.path("CacheDirectory", host); err != nil {
		return p, err
	}
	if p.CacheDirectory == "" {
		p.CacheDirectory = p.DataDirectory
	}
	p.PidFile, err = v.path("PidFile", host)
	return p, err
}

// path returns the value of a Filename option as an absolute path; empty if it is not set.
func (v *Values) path(name string, host Host) (string, error) {
	if v.String(name) == "" {
		return "", nil
	}
	return v.absolute(v.at(name), v.String(name), host)
}

// absolute makes a path absolute. A daemon leaves its working directory, so it must not depend on it.
func (v *Values) absolute(l torrc.Line, path string, host Host) (string, error) {
	path = host.expand(path)
	if filepath.IsAbs(path) {
		return path, nil
	}
	full := filepath.Join(host.Dir, path)
	if v.Bool("RunAsDaemon") {
		return "", l.Errorf("the path %q is relative, which does not go with RunAsDaemon 1: write %s", path, full)
	}
	v.warn("Path for %s (%s) is relative and will resolve to %s. Is this what you wanted?", l.Key, path, full)
	return full, nil
}

func newLog(v *Values, host Host) (logfmt.Options, error) {
	opt := logfmt.Options{
		Daemon: v.Bool("RunAsDaemon"), Domains: v.Bool("LogMessageDomains"), Truncate: v.Bool("TruncateLogFile"),
		Reveal: v.String("SafeLogging") == "0", SyslogTag: v.String("SyslogIdentityTag"),
		Granularity: granularity(v.Duration("LogTimeGranularity")),
	}
	if asked := v.Duration("LogTimeGranularity"); asked != opt.Granularity {
		v.warn("Log time granularity '%d' has to be either a divisor or a multiple of 1 second. Changing to '%d'.", asked.Milliseconds(), opt.Granularity.Milliseconds())
	}
	for _, l := range v.Lines("Log") {
		rule, err := logfmt.ParseRule(l.Value)
		if err != nil {
			return opt, l.Errorf("%w", err)
		}
		if rule.Target == logfmt.File {
			if rule.Path, err = v.absolute(l, rule.Path, host); err != nil {
				return opt, err
			}
		}
		opt.Rules = append(opt.Rules, rule)
	}
	return opt, nil
}

// granularity returns d, or if a second is no multiple and no divisor of it, the next longer one for which it is.
func granularity(d time.Duration) time.Duration {
	ms := d.Milliseconds()
	if ms >= 1000 {
		return time.Duration(math.Ceil(d.Seconds())) * time.Second
	}
	for 1000%max(ms, 1) != 0 {
		ms++
	}
	return time.Duration(ms) * time.Millisecond
}

func newNodes(v *Values) (Nodes, error) {
	n := Nodes{
		Entry: v.NodeSet("EntryNodes"), Middle: v.NodeSet("MiddleNodes"), Exit: v.NodeSet("ExitNodes"),
		Exclude: v.NodeSet("ExcludeNodes"), ExcludeExit: v.NodeSet("ExcludeExitNodes"),
		Layer2: v.NodeSet("HSLayer2Nodes"), Layer3: v.NodeSet("HSLayer3Nodes"), Vanguards: v.AutoBool("VanguardsLiteEnabled"),
		FullVanguards: v.Bool("VanguardsFull"), Strict: v.Bool("StrictNodes"),
		DistinctSubnets: v.Bool("EnforceDistinctSubnets"),
	}
	for _, name := range []string{"EntryNodes", "MiddleNodes", "ExitNodes", "ExcludeNodes", "ExcludeExitNodes", "HSLayer2Nodes", "HSLayer3Nodes"} {
		if err := checkCountries(v.at(name), v.NodeSet(name)); err != nil {
			return n, err
		}
	}
	for _, l := range v.Lines("NodeFamily") {
		set, err := torrc.ParseNodeSet(l.Value)
		if err != nil {
			return n, l.Errorf("%w", err)
		}
		if err := checkCountries(l, set); err != nil {
			return n, err
		}
		n.Families = append(n.Families, set)
	}
	return n, nil
}

// checkCountries refuses countries as long as nothing tells which relay is in which: to exclude nobody where a country
// was meant would be the worst reading.
func checkCountries(l torrc.Line, set torrc.NodeSet) error {
	if len(set.Countries) > 0 && option("GeoIPFile").Effect != Built {
		return l.Errorf("countries such as {us} are not built in this version: name relays or networks")
	}
	return nil
}

func newDirs(v *Values) (d Dirs, err error) {
	d.Microdescriptors, d.AllowPrivate = v.AutoBool("UseMicrodescriptors"), v.Bool("DirAllowPrivateAddresses")
	auths, fallbacks := trusteddirs.Default()
	for _, a := range auths {
		replaced := v.IsSet("DirAuthority") || v.IsSet("AlternateDirAuthority") && a.Votes() || v.IsSet("AlternateBridgeAuthority") && a.Bridge
		if !replaced {
			d.Authorities = append(d.Authorities, a)
		}
	}
	for _, name := range []string{"DirAuthority", "AlternateBridgeAuthority", "AlternateDirAuthority"} {
		own, err := parseDirs(v, name, trusteddirs.ParseAuthority)
		if err != nil {
			return d, err
		}
		d.Authorities = append(d.Authorities, own...)
	}
	// The built-in fallbacks belong to the built-in authorities.
	if v.Bool("UseDefaultFallbackDirs") && !v.IsSet("FallbackDir") && !v.IsSet("DirAuthority") && !v.IsSet("AlternateDirAuthority") {
		d.Fallbacks = fallbacks
	}
	own, err := parseDirs(v, "FallbackDir", trusteddirs.ParseFallback)
	d.Fallbacks = append(d.Fallbacks, own...)
	return d, err
}

func parseDirs[T any](v *Values, name string, parse func(string) (T, []string, error)) (list []T, err error) {
	for _, l := range v.Lines(name) {
		dir, ignored, err := parse(l.Value)
		if err != nil {
			return nil, l.Errorf("%w", err)
		}
		if len(ignored) > 0 {
			v.warn("Unrecognized flags on %s line: %s", name, strings.Join(ignored, " "))
		}
		list = append(list, dir)
	}
	return list, nil
}
