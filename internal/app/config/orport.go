package config

import (
	"fmt"
	"net/netip"

	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// ORPort is a place where links are accepted, one that is published, or both.
type ORPort struct {
	Listen      torrc.Listen // by TCP; 0.0.0.0 or [::] if the line gives no address
	Explicit    bool         // the line gives an address
	NoAdvertise bool
	NoListen    bool
	IPv4Only    bool
	IPv6Only    bool
}

// DirPort is a place where directory requests are taken over HTTP.
type DirPort ORPort

// Enabled tells whether this is a relay.
func (r *Relay) Enabled() bool { return len(r.ORPorts) > 0 }

// Advertised returns the ORPort to publish for an address family; ok is false if there is none. The address may be
// unspecified: then it is to be found out. So is the port, by the listener, where it was left to the system.
// C tor: portconf_get_first_advertised.
func (r *Relay) Advertised(v6 bool) (p ORPort, ok bool) {
	if v6 && r.NoIPv6 {
		return p, false
	}
	for _, q := range r.ORPorts {
		if !q.NoAdvertise && q.is4() != v6 && (!ok || q.Explicit && !p.Explicit) {
			p, ok = q, true
		}
	}
	return p, ok
}

func (p *ORPort) is4() bool { return p.Listen.Addr.Addr().Is4() }

var (
	everywhere4 = netip.IPv4Unspecified()
	everywhere6 = netip.IPv6Unspecified()
)

// newORPorts takes the ORPort and DirPort lines.
func newORPorts(v *Values) (or []ORPort, dir []DirPort, err error) {
	if v.Bool("ClientOnly") {
		return nil, nil, nil
	}
	if or, err = v.serverPorts("ORPort", everywhere4, everywhere6); err != nil {
		return nil, nil, err
	}
	or = v.dropSuperseded(or)
	if err = checkORPorts(or); err != nil {
		return nil, nil, v.lists["ORPortLines"][0].Errorf("%w", err)
	}
	dirs, err := v.serverPorts("DirPort", everywhere4)
	if err == nil && len(dirs) > 0 {
		if err = checkDirPorts(dirs, v.Bool("DirCache"), len(or) > 0); err != nil {
			err = v.lists["DirPortLines"][0].Errorf("%w", err)
		}
	}
	for _, p := range dirs {
		dir = append(dir, DirPort(p))
	}
	return or, dir, err
}

// serverPorts parses the lines of ORPort or DirPort. A line without an address stands for a port at each of hosts. The
// order is C tor's: the lines for the first of hosts with those that have an address, then the lines for the next.
func (v *Values) serverPorts(name string, hosts ...netip.Addr) (ports []ORPort, err error) {
	lines := v.lists[name+"Lines"]
	parsed := make([]ORPort, len(lines))
	off := 0
	for i, l := range lines {
		if parsed[i], err = v.parseServerPort(l); err != nil {
			return nil, err
		}
		if parsed[i].Listen.Off {
			off++
		}
	}
	if off > 0 {
		if off < len(lines) {
			return nil, lines[0].Errorf("%s 0 stands beside another line: did you mean to disable %s or not?", name, name)
		}
		return nil, nil
	}
	for i, host := range hosts {
		for _, p := range parsed {
			if !p.Explicit {
				p.Listen.Addr = netip.AddrPortFrom(host, p.Listen.Addr.Port())
			}
			if p.Explicit && i > 0 || p.IPv4Only && !p.is4() || p.IPv6Only && p.is4() {
				continue
			}
			ports = append(ports, p)
		}
	}
	return ports, nil
}

// parseServerPort parses a line. The address is invalid if the line gives none.
func (v *Values) parseServerPort(l torrc.Line) (p ORPort, err error) {
	listen, flags, err := torrc.ParseListen(l.Value, netip.Addr{})
	if err != nil {
		return p, l.Errorf("%w", err)
	}
	p = ORPort{Listen: listen, Explicit: listen.Addr.Addr().IsValid()}
	for _, f := range flags {
		switch fold(f) {
		case "noadvertise":
			p.NoAdvertise = true
		case "nolisten":
			p.NoListen = true
		case "ipv4only":
			p.IPv4Only = true
		case "ipv6only":
			p.IPv6Only = true
		default:
			v.warn("Unrecognized %s option '%q'", l.Key, f)
		}
	}
	switch {
	case listen.Path != "":
		return p, l.Errorf("unix sockets are not supported here")
	case p.NoAdvertise && p.NoListen:
		return p, l.Errorf("NoListen and NoAdvertise together leave nothing to do")
	case p.IPv4Only && p.IPv6Only:
		return p, l.Errorf("IPv4Only and IPv6Only exclude each other")
	case p.Explicit && p.IPv4Only && !p.is4():
		return p, l.Errorf("IPv4Only contradicts the address %s", listen.Addr.Addr())
	case p.Explicit && p.IPv6Only && p.is4():
		return p, l.Errorf("IPv6Only contradicts the address %s", listen.Addr.Addr())
	}
	return p, nil
}

// dropSuperseded drops ports that another makes superfluous: repeated ones, and those without an address whose port
// number is taken at a given address.
// C tor: remove_duplicate_orports.
func (v *Values) dropSuperseded(ports []ORPort) (kept []ORPort) {
	gone := make([]bool, len(ports))
	for i, p := range ports {
		if gone[i] {
			continue
		}
		for j, q := range ports {
			a, b := p.Listen.Addr, q.Listen.Addr
			switch {
			case i == j || gone[j]:
			case p == q:
				gone[j] = true
			case a.Port() != b.Port() || p.Listen.Auto != q.Listen.Auto || p.is4() != q.is4():
			case p.Explicit && q.Explicit && a != b: // two addresses, such as one to listen at and one to publish
			case q.Explicit && !p.Explicit: // then it is p that goes
			default:
				v.warn("Configuration port %s superseded by %s", q.line(), p.line())
				gone[j] = true
			}
		}
	}
	for i, p := range ports {
		if !gone[i] {
			kept = append(kept, p)
		}
	}
	return kept
}

// line returns the port as a torrc has it, without flags.
func (p *ORPort) line() string {
	port := "auto"
	if !p.Listen.Auto {
		port = fmt.Sprint(p.Listen.Addr.Port())
	}
	switch host := p.Listen.Addr.Addr(); {
	case !p.Explicit:
		return "ORPort " + port
	case host.Is6():
		return fmt.Sprintf("ORPort [%s]:%s", host, port)
	default:
		return fmt.Sprintf("ORPort %s:%s", host, port)
	}
}

// checkORPorts and checkDirPorts find ports that do not go together. C tor: check_and_prune_server_ports.
func checkORPorts(ports []ORPort) error {
	listen, advertise, advertise4 := countPorts(ports)
	switch {
	case advertise > 0 && listen == 0:
		return fmt.Errorf("an ORPort is published and none listens")
	case listen > 0 && advertise == 0:
		return fmt.Errorf("an ORPort listens and none is published: nobody would find this relay")
	case advertise > 0 && advertise4 == 0:
		return fmt.Errorf("a public relay needs an ORPort on an IPv4 address too")
	}
	return nil
}

func checkDirPorts(ports []ORPort, cache, relay bool) error {
	listen, advertise, _ := countPorts(ports)
	listen4 := false
	for _, p := range ports {
		listen4 = listen4 || !p.NoListen && p.is4()
	}
	switch {
	case advertise > 0 && listen == 0:
		return fmt.Errorf("a DirPort is published and none listens")
	case advertise > 1:
		return fmt.Errorf("only one DirPort can be published: give the others NoAdvertise")
	case advertise > 0 && !listen4:
		return fmt.Errorf("a DirPort needs an IPv4 address: give one, or remove the line, since nothing needs a DirPort")
	case !cache && listen > 0:
		return fmt.Errorf("cannot be served with DirCache 0")
	case !relay:
		return fmt.Errorf("not built in this version without an ORPort")
	}
	return nil
}

func countPorts(ports []ORPort) (listen, advertise, advertise4 int) {
	for _, p := range ports {
		if !p.NoListen {
			listen++
		}
		if !p.NoAdvertise {
			advertise++
			if p.is4() {
				advertise4++
			}
		}
	}
	return listen, advertise, advertise4
}

// hasLowPort tells whether a listener needs a port that only the superuser may open.
func (r *Relay) hasLowPort() bool {
	low := func(p ORPort) bool { return !p.NoListen && !p.Listen.Auto && p.Listen.Addr.Port() < 1024 }
	for _, p := range r.ORPorts {
		if low(p) {
			return true
		}
	}
	for _, p := range r.DirPorts {
		if low(ORPort(p)) {
			return true
		}
	}
	return false
}
