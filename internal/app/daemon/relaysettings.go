package daemon

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/app/server"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/role/dos"
	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// relayConfig turns what a torrc says into what a relay takes.
func (d *Daemon) relayConfig() (server.Config, error) {
	r := &d.cfg.Relay
	keys, err := d.relayKeys()
	if err != nil {
		return server.Config{}, err
	}
	return server.Config{
		Env: d.env(), State: d.state, Keys: keys,
		DirCache: r.DirCache, ExtendPrivate: r.ExtendPrivate, QueueDelay: r.Limits.MaxOnionDelay,
		Padding:  link.DefaultPadding,
		DoS:      dosConfig(&r.DoS),
		Exit:     d.exitConfig(),
		OwnAddrs: func() []netip.Addr { return nil },
	}, nil
}

func (d *Daemon) relayKeys() (keys relaykeys.Config, err error) {
	r := &d.cfg.Relay
	keys = relaykeys.Config{
		Nickname: r.Nickname, OfflineMasterKey: r.Keys.OfflineMaster,
		SigningKeyLifetime: r.Keys.SigningKeyLifetime, SigningKeySlop: r.Keys.SigningKeySlop, TLSLifetime: r.Keys.TLSLifetime,
		Families: relaykeys.Families{All: r.Families.AnyID},
	}
	for _, text := range r.Families.IDs {
		id, err := keyfile.ParseFamilyID([]byte(text + "\n"))
		if err != nil {
			return keys, fmt.Errorf("FamilyId %s: %w", text, err)
		}
		keys.Families.IDs = append(keys.Families.IDs, id)
	}
	dir := r.Families.Directory
	if dir == "" {
		dir = r.Keys.Directory
	}
	if dir == "" {
		dir = filepath.Join(d.cfg.Client.Process.DataDirectory, "keys")
	}
	keys.Families.Dir = os.DirFS(dir)
	return keys, nil
}

// exitConfig turns the options of an exit into what the relay takes.
func (d *Daemon) exitConfig() server.Exit {
	r := &d.cfg.Relay
	e := server.Exit{
		Policy: r.Exit.Own, Reevaluate: r.Exit.Reevaluate, RefuseUnknown: r.Exit.RefuseUnknown,
		Net: netx.OS{Bind4: r.Outbound.Exit4, Bind6: r.Outbound.Exit6},
		DNS: resolver.Config{
			ResolvConf: r.DNS.ResolvConf, SearchDomains: r.DNS.SearchDomains, RefuseBrokenConfig: !r.DNS.AllowBroken,
			NoHijackTest: !r.DNS.DetectHijacking, TestAddresses: r.DNS.TestAddresses,
			AllowNonRFC953Hostnames: r.DNS.OddHostnames, NoRandomizeCase: !r.DNS.RandomizeCase,
		},
	}
	if e.DNS.TestAddresses == nil {
		e.DNS.TestAddresses = []string{} // none, and not the default
	}
	if r.Exit.RejectLocal {
		e.Policy.RejectAddrs = d.localAddrs()
	}
	for _, a := range d.cfg.Client.Dirs.Authorities {
		e.RelayAddrs = append(e.RelayAddrs, a.Addr, a.IPv6, a.DirPort)
	}
	for _, f := range d.cfg.Client.Dirs.Fallbacks {
		e.RelayAddrs = append(e.RelayAddrs, f.Addr, f.IPv6)
	}
	return e
}

// localAddrs are the addresses of this machine, and those that the configuration names.
func (d *Daemon) localAddrs() (list []netip.Addr) {
	out := d.cfg.Relay.Outbound
	for _, a := range []netip.Addr{out.OR4, out.OR6, out.Exit4, out.Exit6} {
		if a.IsValid() {
			list = append(list, a)
		}
	}
	for _, o := range doorSpecs(&d.cfg.Relay) {
		list = append(list, o.addr.Addr())
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		d.log.Warn("Cannot list the addresses of this machine for ExitPolicyRejectLocalInterfaces", "err", err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, p.Addr())
		}
	}
	return list
}

// dosConfig turns the DoS options into what the defences take.
func dosConfig(d *config.DoS) (c dos.Config) {
	sw := func(b torrc.AutoBool) dos.Switch { return dos.Switch(b + 1) }
	c.Circuits.Enabled, c.Connections.Enabled, c.Streams.Enabled = sw(d.CircuitCreation), sw(d.Connection), sw(d.StreamCreation)
	c.Circuits.MinConnections, c.Circuits.Rate, c.Circuits.Burst = d.Circuit.MinConnections, d.Circuit.Rate, d.Circuit.Burst
	c.Circuits.Defense, c.Circuits.Period = d.Circuit.Defense, d.Circuit.Period
	c.Connections.MaxConcurrent, c.Connections.Rate, c.Connections.Burst = d.Conn.MaxConcurrent, d.Conn.ConnectRate, d.Conn.ConnectBurst
	c.Connections.Defense, c.Connections.Period = d.Conn.Defense, d.Conn.Period
	c.Streams.Rate, c.Streams.Burst, c.Streams.Defense = d.Stream.Rate, d.Stream.Burst, d.Stream.Defense
	c.RefuseSingleHop = sw(d.SingleHopRend)
	return c
}
