package daemon

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/app/server"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/geoip"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/role/accounting"
	"github.com/tropea-net/tropea/internal/role/dos"
	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/role/publish"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
	"github.com/tropea-net/tropea/internal/role/stats"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
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
	var page []byte
	if r.FrontPage != "" {
		if page, err = os.ReadFile(r.FrontPage); err != nil {
			return server.Config{}, fmt.Errorf("DirPortFrontPage: %w", err)
		}
	}
	conns, streams, err := d.sockets()
	if err != nil {
		return server.Config{}, err
	}
	exit := d.exitConfig()
	exit.MaxStreams = streams
	return server.Config{
		MaxConns: conns, Heartbeat: r.Heartbeat,
		Env: d.env(), State: d.state, Cache: d.cache, Keys: keys,
		ExtraInfo: d.cfg.Values.Bool("DownloadExtraInfo"), MaxDiffAge: r.Limits.MaxConsensusAge, FrontPage: page,
		DirCache: r.DirCache, ExtendPrivate: r.ExtendPrivate, QueueDelay: r.Limits.MaxOnionDelay,
		Padding: link.DefaultPadding,
		DoS:     dosConfig(&r.DoS),
		Stats:   d.statsConfig(),
		Accounting: accounting.Config{
			Max: r.Account.Max, Rule: accounting.Rule(r.Account.Rule), Rate: cmp.Or(r.Bandwidth.RelayRate, r.Bandwidth.Rate),
			Start: accounting.Start{Unit: accounting.Unit(r.Account.Start.Unit), Day: r.Account.Start.Day, Hour: r.Account.Start.Hour, Minute: r.Account.Start.Minute},
		},
		Limits:    limits(&r.Bandwidth),
		HalfLife:  r.Limits.PriorityHalflife,
		MaxMemory: int64(r.Limits.MaxMemInQueues),
		DirPolicy: r.DirPolicy, Workers: r.Limits.NumCPUs,
		MaxHSDir:    int64(r.Limits.MaxHSDirCache),
		Exit:        exit,
		Info:        d.relayInfo(),
		Version:     client.CompatVersion,
		Authorities: uploads(d.cfg.Client.Dirs.Authorities),
		Trusted:     targets(d.cfg.Client.Dirs.Authorities),
		Lookup:      lookup,
		Authority:   d.authorityConfig(),
	}, nil
}

// keptFiles are left for files, listeners, and links of our own.
const keptFiles = 128

// files is how many files may be open. It is an error if they are fewer than ConnLimit.
func (d *Daemon) files() (int, error) {
	n, err := maxFiles()
	if err == nil && n < d.cfg.Relay.Limits.ConnLimit {
		err = fmt.Errorf("ConnLimit is %d, and the process may have only %d files open: raise the limit (ulimit -n)", d.cfg.Relay.Limits.ConnLimit, n)
	}
	return n, err
}

// sockets divides what the limit of open files leaves among links that others make and streams of the exit.
func (d *Daemon) sockets() (conns, streams int, err error) {
	n, err := d.files()
	if err != nil {
		return 0, 0, err
	}
	n = max(n-keptFiles, keptFiles)
	if p := exitpolicy.Own(d.cfg.Relay.Exit.Own); p.RejectsAll(false, true) && p.RejectsAll(true, true) {
		return n, 1, nil // it is no exit
	}
	return n / 2, n / 2, nil
}

// limits are those of all connections of the node.
func limits(b *config.RelayBandwidth) link.Limits {
	return link.Limits{
		Rate: int64(b.Rate), Burst: int64(b.Burst), RelayRate: int64(b.RelayRate), RelayBurst: int64(b.RelayBurst),
		PerConnRate: int64(b.PerConnRate), PerConnBurst: int64(b.PerConnBurst), CountPrivate: b.CountPrivate,
	}
}

// statsConfig turns the options of statistics into what the relay takes. Countries are those of the files of C tor; without
// them, what is counted by country is not.
func (d *Daemon) statsConfig() stats.Config {
	r := &d.cfg.Relay
	c := stats.Config{
		Cells: r.Stats.Cell, Links: r.Stats.ConnDirection, Entry: r.Stats.Entry, ExitPorts: r.Stats.ExitPort,
		NoDirReq: !r.Stats.DirReq || d.cfg.Authority.Bridges, NoHidServ: !r.Stats.HiddenService, NoOverload: !r.Stats.Overload, NoPadding: !r.Stats.Padding,
		NoExtraInfo: !r.Stats.ExtraInfo,
		Rate:        r.Bandwidth.Rate, Burst: r.Bandwidth.Burst, RelayRate: r.Bandwidth.RelayRate,
		MinTime: cmp.Or(d.cfg.Values.Duration("TestingMinTimeToReportBandwidth"), -1),
	}
	if !r.Stats.DirReq && !r.Stats.Entry {
		return c
	}
	if db := d.countries("statistics go without them"); db != nil {
		c.Countries = db
	}
	return c
}

// countries are those of the files of C tor, which Debian installs with it; nil without them. The log says what else is without.
func (d *Daemon) countries(without string) *geoip.DB {
	files := [2]io.Reader{}
	for i, name := range []string{d.cfg.Relay.Stats.GeoIP, d.cfg.Relay.Stats.GeoIP6} {
		f, err := os.Open(name)
		if err != nil {
			d.log.Info("no countries: "+without, "err", err)
			return nil
		}
		defer f.Close()
		files[i] = f
	}
	db, err := geoip.Read(files[0], files[1])
	if err != nil {
		d.log.Warn("GeoIPFile and GeoIPv6File: "+without, "err", err)
		return nil
	}
	return db
}

// relayInfo is what the operator says of the relay.
func (d *Daemon) relayInfo() publish.Info {
	r := &d.cfg.Relay
	i := publish.Info{
		Nickname: r.Nickname, Contact: r.Contact, Family: r.Families.Members,
		Private: d.cfg.Client.Process.TestNetwork || d.cfg.Client.Dirs.AllowPrivate,
		Rate:    r.Bandwidth.Rate, Burst: r.Bandwidth.Burst, MaxAdvertised: r.Bandwidth.MaxAdvertised,
		Publish: r.Publish, AssumeIPv4: r.AssumeIPv4, AssumeIPv6: r.AssumeIPv6.Or(r.AssumeIPv4),
	}
	for _, text := range r.Addresses {
		if a, err := netip.ParseAddr(text); err == nil {
			i.Addrs = append(i.Addrs, a)
		} else {
			i.Names = append(i.Names, text)
		}
	}
	if r.Bandwidth.RelayRate > 0 {
		i.Rate, i.Burst = min(i.Rate, r.Bandwidth.RelayRate), min(i.Burst, r.Bandwidth.RelayBurst)
	}
	for v6, port := range map[bool]*uint16{false: &i.Port, true: &i.Port6} {
		p, ok := r.Advertised(v6)
		if !ok {
			continue
		}
		*port = d.actualPort(p)
		if p.Explicit {
			i.Bound = append(i.Bound, p.Listen.Addr.Addr())
		}
	}
	return i
}

// actualPort is that of an ORPort, which the kernel may have chosen.
func (d *Daemon) actualPort(p config.ORPort) uint16 {
	for _, o := range d.doors {
		if a, ok := o.listener.Addr().(*net.TCPAddr); ok && p.Listen.Auto && o.auto && o.addr == p.Listen.Addr {
			return uint16(a.Port)
		}
	}
	return p.Listen.Addr.Port()
}

// lookup finds the addresses of a name of the operator's own, which the system may be asked about.
func lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// uploads lists the authorities that take descriptors.
func uploads(list []trusteddirs.Authority) (to []publish.Authority) {
	for _, a := range list {
		if !a.Votes() {
			continue
		}
		dir := a.Upload
		if len(dir) == 0 && a.DirPort.IsValid() && a.DirPort.Port() != 0 {
			dir = []netip.AddrPort{a.DirPort}
		}
		to = append(to, publish.Authority{Name: a.Nickname, Dir: dir})
	}
	return to
}

func targets(list []trusteddirs.Authority) (to []link.Target) {
	for _, a := range list {
		t := link.Target{RSA: a.Fingerprint, HasRSA: true}
		for _, addr := range []netip.AddrPort{a.Addr, a.IPv6} {
			if addr.IsValid() && addr.Port() != 0 {
				t.Addrs = append(t.Addrs, addr)
			}
		}
		to = append(to, t)
	}
	return to
}

func (d *Daemon) relayKeys() (keys relaykeys.Config, err error) {
	r := &d.cfg.Relay
	keys = relaykeys.Config{
		Nickname: r.Nickname, OfflineMasterKey: r.Keys.OfflineMaster,
		SigningKeyLifetime: r.Keys.SigningKeyLifetime, SigningKeySlop: r.Keys.SigningKeySlop, TLSLifetime: r.Keys.TLSLifetime,
		LinkCertLifetime: r.Keys.LinkCertLifetime, AuthKeyLifetime: r.Keys.AuthKeyLifetime, LinkKeySlop: r.Keys.LinkKeySlop, AuthKeySlop: r.Keys.AuthKeySlop,
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
