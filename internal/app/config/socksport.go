package config

import (
	"net/netip"
	"strings"

	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Isolation is what keeps two streams of a port off the same circuit if it differs between them.
type Isolation struct {
	ClientAddr   bool
	SOCKSAuth    bool
	ClientProto  bool
	DestAddr     bool
	DestPort     bool
	SessionGroup int  // ports with the same one may share circuits; -1: this port alone
	KeepAlive    bool // a circuit with SOCKSAuth lives as long as it is used
}

// SocksPort is a place where SOCKS requests are taken.
type SocksPort struct {
	Listen            torrc.Listen
	GroupWritable     bool // Unix socket: so is its directory
	WorldWritable     bool
	RelaxDirModeCheck bool // Unix socket: do not insist on a private directory

	Isolate           Isolation
	IPv4, IPv6, Onion bool // destinations that are allowed
	DNS               bool // names may be looked up by the exit
	PreferIPv6        bool
	PreferIPv6Automap bool // made-up addresses are IPv6
	PreferNoAuth      bool // choose no authentication if the program offers both
	ExtendedErrors    bool
}

var localhost = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// newSocksPorts parses the SocksPort lines. Without one there is the usual port.
func newSocksPorts(v *Values, host Host) ([]SocksPort, error) {
	lines := v.lists["SocksPortLines"]
	if len(lines) == 0 {
		lines = []torrc.Line{{Key: "SocksPort", Value: "9050"}}
	}
	var ports []SocksPort
	for _, l := range lines {
		p, err := v.parseSocksPort(l)
		if err != nil {
			return nil, err
		}
		if p.Listen.Path != "" {
			if p.Listen.Path, err = v.absolute(l, p.Listen.Path, host); err != nil {
				return nil, err
			}
		}
		if !p.Listen.Off {
			v.remarkAddr(l, p.Listen)
			ports = append(ports, p)
		}
	}
	if len(ports) > 0 && len(ports) < len(lines) {
		return nil, lines[0].Errorf("there is a SocksPort 0 and another one: did you mean to disable SocksPort or not?")
	}
	return ports, nil
}

func (v *Values) parseSocksPort(l torrc.Line) (p SocksPort, err error) {
	listen, flags, err := torrc.ParseListen(l.Value, localhost)
	if err != nil {
		return p, l.Errorf("%w", err)
	}
	p = SocksPort{
		Listen: listen, GroupWritable: listen.Path != "" && v.Bool("UnixSocksGroupWritable"),
		Isolate: Isolation{ClientAddr: listen.Path == "", SOCKSAuth: true, SessionGroup: -1},
		IPv4:    true, IPv6: true, Onion: true, DNS: true, PreferIPv6Automap: true,
	}
	for _, f := range flags {
		if err := p.flag(v, l, f); err != nil {
			return p, err
		}
	}
	switch {
	case (p.WorldWritable || p.RelaxDirModeCheck || p.GroupWritable) && listen.Path == "":
		return p, l.Errorf("GroupWritable, WorldWritable and RelaxDirModeCheck are for unix: sockets")
	case !p.IPv4 && !p.IPv6 && !p.Onion:
		return p, l.Errorf("all of IPv4, IPv6 and .onion are disabled; that won't work")
	case p.DNS && !p.IPv4 && !p.IPv6:
		return p, l.Errorf("DNSRequest is enabled, but IPv4 and IPv6 are disabled: add NoDNSRequest")
	case p.Isolate.KeepAlive && !p.Isolate.SOCKSAuth:
		return p, l.Errorf("NoIsolateSOCKSAuth and KeepAliveIsolateSOCKSAuth contradict each other")
	}
	p.PreferNoAuth = p.PreferNoAuth || !p.Isolate.SOCKSAuth
	if listen.Path != "" {
		p.Isolate.ClientAddr = false // a Unix socket has no client address
	}
	return p, nil
}

// flag applies one word behind the address. A word that is not known is an error: it may have asked for isolation.
func (p *SocksPort) flag(v *Values, l torrc.Line, word string) error {
	if group, ok := cutPrefixFold(word, "SessionGroup="); ok {
		n, err := torrc.Int(group, 0, 1<<31-1)
		if err != nil || p.Isolate.SessionGroup >= 0 {
			return l.Errorf("%s: one number from 0 on", word)
		}
		p.Isolate.SessionGroup = n
		return nil
	}
	name, no := cutPrefixFold(word, "No")
	name = fold(name)
	if b := p.bools(name); b != nil {
		*b = !no
		return nil
	}
	switch name {
	case "oniontrafficonly":
		if no {
			return l.Errorf("there is no %s: use DNSRequest, IPv4Traffic or IPv6Traffic", word)
		}
		p.IPv4, p.IPv6, p.DNS = false, false, false
	case "cachedns", "cacheipv4dns", "cacheipv6dns", "usednscache", "useipv4cache", "useipv6cache":
		if !no {
			v.warn("%s on a SocksPort has no effect: remembering names for a client would let one bad exit send it astray later.", word)
		}
	default:
		return l.Errorf("unknown flag %q", word)
	}
	return nil
}

// bools returns what a flag switches; nil if there is no such flag.
func (p *SocksPort) bools(name string) *bool {
	switch name {
	case "groupwritable":
		return &p.GroupWritable
	case "worldwritable":
		return &p.WorldWritable
	case "relaxdirmodecheck":
		return &p.RelaxDirModeCheck
	case "ipv4traffic":
		return &p.IPv4
	case "ipv6traffic":
		return &p.IPv6
	case "oniontraffic":
		return &p.Onion
	case "dnsrequest":
		return &p.DNS
	case "preferipv6":
		return &p.PreferIPv6
	case "preferipv6automap":
		return &p.PreferIPv6Automap
	case "prefersocksnoauth":
		return &p.PreferNoAuth
	case "keepaliveisolatesocksauth":
		return &p.Isolate.KeepAlive
	case "extendederrors":
		return &p.ExtendedErrors
	}
	switch strings.TrimSuffix(name, "s") { // plurals of these are common
	case "isolatedestport":
		return &p.Isolate.DestPort
	case "isolatedestaddr":
		return &p.Isolate.DestAddr
	case "isolatesocksauth":
		return &p.Isolate.SOCKSAuth
	case "isolateclientprotocol":
		return &p.Isolate.ClientProto
	case "isolateclientaddr":
		return &p.Isolate.ClientAddr
	}
	return nil
}

// cutPrefixFold is strings.CutPrefix whatever the case of letters.
func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// remarkAddr warns of a port that others than local programs can reach.
func (v *Values) remarkAddr(l torrc.Line, listen torrc.Listen) {
	a := listen.Addr.Addr().Unmap()
	switch {
	case listen.Path != "" || a.IsLoopback():
	case a.IsPrivate() || a.IsLinkLocalUnicast():
		v.tell(safelog.LevelNotice, "You configured a non-loopback address '%s' for %s. This allows everybody on your local network to use your machine as a proxy. Make sure this is what you wanted.", listen.Addr, l.Key)
	default:
		v.warn("You specified a public address '%s' for %s. Other people on the Internet might find your computer and use it as an open proxy. Please don't allow this unless you have a good reason.", listen.Addr, l.Key)
	}
}
