package config

import (
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Onion is an onion service: the lines from one HiddenServiceDir to the next.
type Onion struct {
	Dir           string // absolute
	GroupReadable bool
	Ports         []OnionPort // at least one
	UnknownPorts  bool        // refuse streams to other ports, rather than closing their circuits
	MaxStreams    int         // on one circuit; 0 for no limit
	CloseAtMax    bool
	Points        int  // introduction points
	ExportCircuit bool // tell servers about circuits, as HAProxy does
	IntroDefense  bool // ask introduction points to let through no more than this
	IntroRate     int
	IntroBurst    int
	OnionBalance  bool // a back end of onionbalance: ob_config in Dir names the front end
	PoW           bool
	PoWRate       int // 0 for no limit
	PoWBurst      int
}

// OnionPort is a port of an onion service and a server that it leads to: Addr, or if that is not valid, the socket at Path.
type OnionPort struct {
	Port uint16
	Addr netip.AddrPort
	Path string
}

// Onions is the onion services.
type Onions struct {
	Services     []Onion
	NonAnonymous bool // one hop to everything: anybody can find out where the services are
	Unpublished  bool // PublishHidServDescriptors 0
}

// maxIntroPoints is the most and minIntroPoints the fewest introduction points that C tor lets a service have.
const (
	minIntroPoints = 3
	maxIntroPoints = 20
)

// newOnions takes the onion services. What C tor demands is in hs_config.c.
func newOnions(v *Values, host Host) (o Onions, err error) {
	o.NonAnonymous, o.Unpublished = v.Bool("HiddenServiceNonAnonymousMode"), !v.Bool("PublishHidServDescriptors")
	if single := v.Bool("HiddenServiceSingleHopMode"); single != o.NonAnonymous {
		name := "HiddenServiceSingleHopMode"
		if !single {
			name = "HiddenServiceNonAnonymousMode"
		}
		return o, v.at(name).Errorf("HiddenServiceSingleHopMode and HiddenServiceNonAnonymousMode go together: both must be 1, or none")
	}
	var s *Onion
	var first torrc.Line
	begin := func(l torrc.Line) error {
		if s != nil && len(s.Ports) == 0 {
			return first.Errorf("onion service without a HiddenServicePort")
		}
		dir, err := v.absolute(l, l.Value, host)
		if err != nil {
			return err
		}
		dir = filepath.Clean(dir)
		for _, other := range o.Services {
			if other.Dir == dir {
				return l.Errorf("another onion service is in this directory")
			}
		}
		o.Services = append(o.Services, Onion{Dir: dir, Points: minIntroPoints, IntroRate: 25, IntroBurst: 200, PoWRate: 250, PoWBurst: 2500})
		s, first = &o.Services[len(o.Services)-1], l
		return nil
	}
	for _, l := range v.lists["HiddenServiceOptions"] {
		if l.Key == "HiddenServiceDir" {
			if err := begin(l); err != nil {
				return o, err
			}
			continue
		}
		if s == nil {
			return o, l.Errorf("there is no HiddenServiceDir before it")
		}
		if err := s.set(l); err != nil {
			return o, l.Errorf("%w", err)
		}
	}
	if s != nil && len(s.Ports) == 0 {
		return o, first.Errorf("onion service without a HiddenServicePort")
	}
	for i := range o.Services {
		switch s := &o.Services[i]; {
		case s.IntroDefense && s.IntroBurst < s.IntroRate:
			return o, v.at("HiddenServiceEnableIntroDoSBurstPerSec").Errorf("must not be smaller than HiddenServiceEnableIntroDoSRatePerSec")
		case s.PoW && s.PoWBurst < s.PoWRate:
			return o, v.at("HiddenServicePoWQueueBurst").Errorf("must not be smaller than HiddenServicePoWQueueRate")
		}
	}
	if o.NonAnonymous && v.IsSet("HiddenServiceDir") {
		v.warn("HiddenServiceNonAnonymousMode is set. Every onion service on this instance is NON-ANONYMOUS: its location can be found by anybody.")
	}
	return o, nil
}

// set applies one line.
func (s *Onion) set(l torrc.Line) (err error) {
	value := strings.TrimSpace(l.Value)
	number := func(to *int, low, high int) error { *to, err = torrc.Int(value, low, high); return err }
	boolean := func(to *bool) error { *to, err = torrc.Bool(value); return err }
	switch l.Key {
	case "HiddenServicePort":
		p, err := parseOnionPort(value)
		if err != nil {
			return err
		}
		s.Ports = append(s.Ports, p)
		return nil
	case "HiddenServiceVersion":
		if value == "2" {
			return fmt.Errorf("onion services of version 2 are no more: use version 3")
		}
		return number(new(int), 3, 3)
	case "HiddenServiceDirGroupReadable":
		return boolean(&s.GroupReadable)
	case "HiddenServiceAllowUnknownPorts":
		return boolean(&s.UnknownPorts)
	case "HiddenServiceMaxStreams":
		return number(&s.MaxStreams, 0, math.MaxUint16)
	case "HiddenServiceMaxStreamsCloseCircuit":
		return boolean(&s.CloseAtMax)
	case "HiddenServiceNumIntroductionPoints":
		return number(&s.Points, minIntroPoints, maxIntroPoints)
	case "HiddenServiceExportCircuitID":
		s.ExportCircuit = strings.EqualFold(value, "haproxy")
		if !s.ExportCircuit && !strings.EqualFold(value, "none") {
			return fmt.Errorf("must be haproxy or none")
		}
		return nil
	case "HiddenServiceEnableIntroDoSDefense":
		return boolean(&s.IntroDefense)
	case "HiddenServiceEnableIntroDoSRatePerSec":
		return number(&s.IntroRate, 0, math.MaxInt32)
	case "HiddenServiceEnableIntroDoSBurstPerSec":
		return number(&s.IntroBurst, 0, math.MaxInt32)
	case "HiddenServiceOnionBalanceInstance":
		return boolean(&s.OnionBalance)
	case "HiddenServicePoWDefensesEnabled":
		return boolean(&s.PoW)
	case "HiddenServicePoWQueueRate":
		return number(&s.PoWRate, 0, math.MaxInt32)
	case "HiddenServicePoWQueueBurst":
		return number(&s.PoWBurst, 0, math.MaxInt32)
	}
	return fmt.Errorf("unknown option of an onion service")
}

// parseOnionPort parses "port", "port port", "port address", "port address:port" or "port unix:path".
func parseOnionPort(s string) (p OnionPort, err error) {
	first, rest, _ := strings.Cut(s, " ")
	n, err := torrc.Int(first, 1, math.MaxUint16)
	if err != nil {
		return p, fmt.Errorf("%q is no port", first)
	}
	p.Port = uint16(n)
	if rest = strings.TrimSpace(rest); rest == "" {
		rest = strconv.Itoa(n)
	}
	if a, err := netip.ParseAddr(strings.Trim(rest, "[]")); err == nil && a.Zone() == "" {
		p.Addr = netip.AddrPortFrom(a, p.Port)
		return p, nil
	}
	to, more, err := torrc.ParseListen(rest, localhost)
	switch {
	case err != nil:
		return p, err
	case to.Off, to.Auto, len(more) > 0:
		return p, fmt.Errorf("%q is no port, address:port or unix:path", rest)
	}
	p.Addr, p.Path = to.Addr, to.Path
	return p, nil
}
