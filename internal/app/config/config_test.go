package config_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/app/logfmt"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// host is a machine whose files are files; every name in them is absolute but for the slash that fs.FS forbids.
func host(files map[string]string) config.Host {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return config.Host{
		FS: fsys, Stdin: strings.NewReader(files["stdin"]), Home: "home", Dir: "/work", Torrc: []string{"etc/torrc", "~/.torrc"}, Defaults: "etc/torrc-defaults", DataDir: "/home/.tor",
	}
}

func load(torrc string, args ...string) (*config.Config, error) {
	cmd, err := config.ParseCommandLine(args)
	if err != nil {
		return nil, err
	}
	return config.Load(cmd, host(map[string]string{"etc/torrc": torrc}))
}

func mustLoad(t *testing.T, torrc string, args ...string) *config.Config {
	t.Helper()
	c, err := load(torrc, args...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func warnings(c *config.Config) (w []string) {
	for _, m := range c.Messages {
		if m.Level == safelog.LevelWarn {
			w = append(w, m.Text)
		}
	}
	return w
}

func TestTable(t *testing.T) {
	known := []string{"process", "client", "directory client", "bridge and proxy client", "local ports", "relay", "onion service", "directory authority", "test network", "Tropea"}
	seen, n := map[string]bool{}, 0
	for o := range config.Options() {
		if o.Part != "Tropea" {
			n++
		}
		if seen[strings.ToLower(o.Name)] {
			t.Errorf("%s: twice", o.Name)
		}
		seen[strings.ToLower(o.Name)] = true
		if o.Help == "" || strings.HasSuffix(o.Help, ".") || len(o.Help) > 100 {
			t.Errorf("%s: help %q", o.Name, o.Help)
		}
		if !slices.Contains(known, o.Part) {
			t.Errorf("%s: belongs to %q", o.Name, o.Part)
		}
	}
	if n != 372 {
		t.Errorf("got %d options, C tor 0.4.9.11 has 372", n)
	}
}

// Whoever sets one of these relies on it: to start without would connect in another way than asked, or offer less.
func TestRefused(t *testing.T) {
	for _, line := range []string{
		"UseBridges 1", "Bridge 192.0.2.1:443", "ClientTransportPlugin obfs4 exec /bin/obfs4proxy",
		"HTTPProxy 192.0.2.1:8080", "HTTPSProxy 192.0.2.1:8080", "HTTPSProxyAuthenticator a:b", "Socks4Proxy 192.0.2.1:1080",
		"Socks5Proxy 192.0.2.1:1080", "Socks5ProxyUsername a", "TCPProxy haproxy 192.0.2.1:80",
		"ReachableAddresses *:443", "ReachableORAddresses *:443", "FascistFirewall 1",
		"MapAddress 192.0.2.1 example.com", "SocksPolicy reject *", "__AllDirActionsPrivate 1", "__LeaveStreamsUnattached 1",
		"DirPort 80", "ExtORPort auto", "BridgeRelay 1", "ServerTransportPlugin obfs4 exec /x",
		"ControlPort 9051", "+__ControlPort 9151", "ControlSocket /x", "DNSPort 53", "TransPort 9040", "NATDPort 1", "HTTPTunnelPort 8118", "MetricsPort 9035",
		"EntryNodes {us}", "ExcludeNodes a,{??}", "NodeFamily a,{de}",
	} {
		t.Run(line, func(t *testing.T) {
			_, err := load("# first\n" + line)
			var bad *torrc.Error
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want an error", err)
			}
			if !strings.HasPrefix(err.Error(), "etc/torrc:2: "+strings.TrimPrefix(strings.Fields(line)[0], "+")+": ") || !strings.Contains(err.Error(), "not built") {
				t.Errorf("got %q", err)
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	for _, text := range []string{
		"ORPort 0", "ControlPort 0", "DNSPort 0\nTransPort 0", "UseBridges 0", "ExitRelay 0", "ExitRelay auto", "AuthoritativeDirectory 0",
		"UseBridges 0\nBridge 192.0.2.1:443\nClientTransportPlugin obfs4 exec /x", "ExitPolicy reject *:*", "FascistFirewall 0", "TransProxyType default",
	} {
		if _, err := load(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Circuit padding is on unless the user says otherwise, and to say so makes no warning.
func TestCircuitPadding(t *testing.T) {
	for text, want := range map[string][2]bool{
		"SocksPort 9050": {}, "CircuitPadding 1": {}, "CircuitPadding 0": {true, false}, "ReducedCircuitPadding 1": {false, true},
	} {
		c := mustLoad(t, text)
		if got := [2]bool{c.Client.Circuits.NoPadding, c.Client.Circuits.ReducedPadding}; got != want || len(warnings(c)) > 0 {
			t.Errorf("%s: %v, warnings %v", text, got, warnings(c))
		}
	}
}

func TestIgnored(t *testing.T) {
	c := mustLoad(t, "GuardLifetime 90 days\nSandbox 1\nGeoIPExcludeUnknown 1\nAvoidDiskWrites 0\nConfluxEnabled auto\nSafeSocks 1\nUseBridges 0\nBridge 192.0.2.1:443")
	want := []string{"These options have no effect in this version: Bridge, GeoIPExcludeUnknown, GuardLifetime, Sandbox."}
	if diff := cmp.Diff(want, warnings(c)); diff != "" {
		t.Error(diff)
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct{ name, torrc, want string }{
		{"unknown", "Zzz 1\n", "etc/torrc:1: Unknown option 'Zzz'.  Failing."},
		{"typo", "\nSockPort 9050", "etc/torrc:2: Unknown option 'SockPort'.  Failing. Did you mean SocksPort?"},
		{"typo at the end", "UseBridge1 1", "etc/torrc:1: Unknown option 'UseBridge1'.  Failing. Did you mean UseBridges?"},
		{"nothing near", "Completely Different", "etc/torrc:1: Unknown option 'Completely'.  Failing."},
		{"long", strings.Repeat("x", 1000), "etc/torrc:1: Unknown option 'x"},
		{"bad value", "safesocks yes", `etc/torrc:1: SafeSocks: unrecognized value "yes": allowed values are 0 and 1`},
		{"out of range", "MaxClientCircuitsPending 0", "etc/torrc:1: MaxClientCircuitsPending: must be at least 1, but is 0"},
		{"unknown flag of a port", "SocksPort 9050 IsolateDestAdr", `etc/torrc:1: SocksPort: unknown flag "IsolateDestAdr"`},
		{"negated only", "SocksPort 9050 NoOnionTrafficOnly", "etc/torrc:1: SocksPort: there is no NoOnionTrafficOnly"},
		{"two groups", "SocksPort 9050 SessionGroup=1 SessionGroup=2", "etc/torrc:1: SocksPort: SessionGroup=2: one number"},
		{"host name", "SocksPort example.com:9050", `etc/torrc:1: SocksPort: "example.com" is no IPv4`},
		{"DNS without families", "SocksPort 1 NoIPv4Traffic NoIPv6Traffic", "etc/torrc:1: SocksPort: DNSRequest is enabled"},
		{"empty socket", "SocksPort unix:", "etc/torrc:1: SocksPort: no path"},
		{"relative path of a daemon", "RunAsDaemon 1\nDataDirectory data", `etc/torrc:2: DataDirectory: the path "data" is relative`},
		{"relative log of a daemon", "RunAsDaemon 1\nLog notice file x.log", `etc/torrc:2: Log: the path "x.log" is relative`},
		{"log without severity", "Log stdout", "etc/torrc:1: Log: want: severity"},
		{"no family left", "ClientUseIPv4 0\nClientUseIPv6 0", "etc/torrc:1: ClientUseIPv4: with ClientUseIPv6 0 too"},
		{"bad node family", "NodeFamily a b", `etc/torrc:1: NodeFamily: "a b" is no fingerprint`},
		{"bad process", "__OwningControllerProcess x", `etc/torrc:1: __OwningControllerProcess: invalid PID "x"`},
		{"bad nickname", "Nickname a-b", `etc/torrc:1: Nickname: "a-b" must have`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(tt.torrc)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	if _, err := load("", "--SockPort", "1"); err == nil || err.Error() != "command line: Unknown option 'SockPort'.  Failing. Did you mean SocksPort?" {
		t.Errorf("command line: got %v", err)
	}
}

func ports(c *config.Config) (addrs []string) {
	for _, p := range c.Client.SocksPorts {
		addrs = append(addrs, p.Listen.Addr.String()+p.Listen.Path)
	}
	return addrs
}

func TestMerge(t *testing.T) {
	for _, tt := range []struct {
		name            string
		defaults, torrc string
		args            string
		want            string
	}{
		{"default", "", "", "", "127.0.0.1:9050"},
		{"torrc replaces defaults", "SocksPort 1\nSocksPort 2", "SocksPort 3\nSocksPort 4", "", "127.0.0.1:3 127.0.0.1:4"},
		{"torrc appends", "SocksPort 1", "+SocksPort 3\nSocksPort 4", "", "127.0.0.1:1 127.0.0.1:3 127.0.0.1:4"},
		{"torrc clears", "SocksPort 1", "/SocksPort", "", "127.0.0.1:9050"},
		{"command line replaces", "SocksPort 1", "SocksPort 2", "--SocksPort 3 -socksport 4", "127.0.0.1:3 127.0.0.1:4"},
		{"command line appends", "", "SocksPort 2", "+SocksPort 3", "127.0.0.1:2 127.0.0.1:3"},
		{"hidden port appends", "", "SocksPort 2", "+__SocksPort 3", "127.0.0.1:2 127.0.0.1:3"},
		{"hidden port replaces", "", "SocksPort 2", "__SocksPort 3", "127.0.0.1:3"},
		{"off", "", "SocksPort 2", "SocksPort 0", ""},
		{"empty is no value", "SocksPort 1", "SocksPort", "", "127.0.0.1:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd, err := config.ParseCommandLine(strings.Fields(tt.args))
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(cmd, host(map[string]string{"etc/torrc-defaults": tt.defaults, "etc/torrc": tt.torrc}))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(ports(c), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFiles(t *testing.T) {
	files := map[string]string{
		"home/.torrc": "Nickname home", "other": "Nickname other", "stdin": "Nickname stdin\n%include other", "broken": "Nope 1", "conf/a": "SafeSocks 1", "incl": "%include conf",
	}
	for _, tt := range []struct{ name, args, nick, torrc, err string }{
		{"in the home", "", "home", "home/.torrc", ""},
		{"named", "-f other", "other", "other", ""},
		{"named at length", "--torrc-file other", "other", "other", ""},
		{"standard input", "-f -", "other", "", ""},
		{"missing", "-f none", "", "", `unable to open configuration file "none"`},
		{"missing, ignored", "-f none --ignore-missing-torrc", "", "", ""},
		{"missing, allowed", "-f none --allow-missing-torrc", "", "", ""},
		{"unreadable, ignored", "-f home --ignore-missing-torrc", "", "", `unable to open configuration file "home"`},
		{"unreadable, allowed", "-f home --allow-missing-torrc", "", "", ""},
		{"broken, allowed", "-f broken --allow-missing-torrc", "", "", "broken:1: Unknown option"},
		{"defaults", "--defaults-torrc other --/Nickname", "", "home/.torrc", ""},
		{"defaults missing", "--defaults-torrc none", "home", "home/.torrc", ""},
		{"home by tilde", "-f ~/.torrc", "home", "home/.torrc", ""},
		{"include", "-f incl --Nickname x", "x", "incl", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd, err := config.ParseCommandLine(strings.Fields(tt.args))
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(cmd, host(files))
			if tt.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.err) {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Values.String("Nickname"); got != tt.nick || c.Torrc != tt.torrc {
				t.Errorf("got %q from %q, want %q from %q", got, c.Torrc, tt.nick, tt.torrc)
			}
		})
	}
}

func TestClientDefaults(t *testing.T) {
	c := mustLoad(t, "").Client
	if diff := cmp.Diff(config.Process{DataDirectory: "/home/.tor", CacheDirectory: "/home/.tor"}, c.Process); diff != "" {
		t.Error(diff)
	}
	wantCircuits := config.Circuits{
		LearnBuildTimeout: true, MaxDirtiness: 10 * time.Minute, NewPeriod: 30 * time.Second, MaxPending: 32, PathsNeeded: -1,
		LongLivedPorts: []uint16{21, 22, 706, 1863, 5050, 5190, 5222, 5223, 6523, 6667, 6697, 8300},
	}
	if diff := cmp.Diff(wantCircuits, c.Circuits); diff != "" {
		t.Error(diff)
	}
	wantStreams := config.Streams{SocksTimeout: 2 * time.Minute, WarnPorts: []uint16{23, 109, 110, 143}, RejectInternal: true, RejectInternalDNS: true}
	if diff := cmp.Diff(wantStreams, c.Streams); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(config.Links{IPv4: true, IPv6: true, PreferIPv6: torrc.Auto, Padding: torrc.Auto}, c.Links); diff != "" {
		t.Error(diff)
	}
	wantPort := config.SocksPort{
		Listen:  torrc.Listen{Addr: netip.MustParseAddrPort("127.0.0.1:9050")},
		Isolate: config.Isolation{ClientAddr: true, SOCKSAuth: true, SessionGroup: -1},
		IPv4:    true, IPv6: true, Onion: true, DNS: true, PreferIPv6Automap: true,
	}
	if len(c.SocksPorts) != 1 || c.SocksPorts[0] != wantPort {
		t.Errorf("got %+v, want %+v", c.SocksPorts, wantPort)
	}
	if len(c.Dirs.Authorities) != 10 || len(c.Dirs.Fallbacks) != 200 || !c.Nodes.DistinctSubnets || c.Log.Reveal || c.Log.Granularity != time.Second {
		t.Errorf("got %d authorities, %d fallbacks, %+v", len(c.Dirs.Authorities), len(c.Dirs.Fallbacks), c.Log)
	}
}

func TestSocksPortFlags(t *testing.T) {
	c := mustLoad(t, `SocksPort [::1]:auto isolatedestaddrs IsolateDestPort NoIsolateClientAddr IsolateClientProtocol SessionGroup=7 KeepAliveIsolateSOCKSAuth PreferIPv6 NoIPv4Traffic ExtendedErrors NoPreferIPv6Automap
SocksPort unix:"/run/a b" NoIsolateSOCKSAuth OnionTrafficOnly WorldWritable RelaxDirModeCheck CacheDNS
UnixSocksGroupWritable 1`)
	want := []config.SocksPort{
		{
			Listen:  torrc.Listen{Addr: netip.MustParseAddrPort("[::1]:0"), Auto: true},
			Isolate: config.Isolation{DestAddr: true, DestPort: true, ClientProto: true, SOCKSAuth: true, SessionGroup: 7, KeepAlive: true},
			IPv6:    true, Onion: true, DNS: true, PreferIPv6: true, ExtendedErrors: true,
		},
		{
			Listen: torrc.Listen{Path: "/run/a b"}, GroupWritable: true, WorldWritable: true, RelaxDirModeCheck: true,
			Isolate: config.Isolation{SessionGroup: -1}, Onion: true, PreferIPv6Automap: true, PreferNoAuth: true,
		},
	}
	if diff := cmp.Diff(want, c.Client.SocksPorts, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestOpenProxyWarning(t *testing.T) {
	for addr, want := range map[string]string{"127.0.0.1": "", "192.168.1.1": "notice", "0.0.0.0": "warn", "192.0.2.1": "warn", "[::1]": ""} {
		got := ""
		for _, m := range mustLoad(t, "SocksPort "+addr+":9050").Messages {
			if strings.Contains(m.Text, "proxy") {
				got = map[bool]string{true: "warn", false: "notice"}[m.Level == safelog.LevelWarn]
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", addr, got, want)
		}
	}
}

const authority = " orport=5000 v3ident=F533C81CEF0BC0267857C99B2F471ADF249FA232 127.0.0.1:7000 1A25C6358DB91342AA51720A5038B72742732498"

func TestDirs(t *testing.T) {
	const fallback = "FallbackDir 192.0.2.1 orport=443 id=1A25C6358DB91342AA51720A5038B72742732498"
	for _, tt := range []struct {
		name, torrc string
		auths, fall int
	}{
		{"own", "DirAuthority a" + authority + "\nDirServer b" + authority, 2, 0},
		{"own that vote", "AlternateDirAuthority a" + authority, 2, 0},
		{"own bridge authority", "AlternateBridgeAuthority a" + authority, 10, 200},
		{"own fallback", fallback, 10, 1},
		{"no fallbacks", "UseDefaultFallbackDirs 0", 10, 0},
		{"all own", "DirAuthority a" + authority + "\n" + fallback, 1, 1},
	} {
		d := mustLoad(t, tt.torrc).Client.Dirs
		if len(d.Authorities) != tt.auths || len(d.Fallbacks) != tt.fall {
			t.Errorf("%s: got %d and %d, want %d and %d", tt.name, len(d.Authorities), len(d.Fallbacks), tt.auths, tt.fall)
		}
	}
}

func TestTestNetwork(t *testing.T) {
	c := mustLoad(t, "TestingTorNetwork 1\nClientRejectInternalAddresses 1\nDirAuthority a"+authority)
	if !c.Client.Process.TestNetwork || !c.Client.Dirs.AllowPrivate || !c.Client.Circuits.AllowPrivate || c.Client.Nodes.DistinctSubnets {
		t.Errorf("got %+v", c.Client)
	}
	if !c.Client.Streams.RejectInternal || c.Client.Streams.RejectInternalDNS {
		t.Errorf("got %+v: what is set wins over what the test network implies", c.Client.Streams)
	}
	if got := c.Values.Duration("V3AuthVotingInterval"); got != 5*time.Minute {
		t.Errorf("got %v", got)
	}
}

func TestLog(t *testing.T) {
	c := mustLoad(t, "Log notice file ~/x.log\nLog warn stderr\nLogTimeGranularity 7 msec\nSafeLogging 0\nTruncateLogFile 1\nSyslogIdentityTag t")
	got := c.Client.Log
	if len(got.Rules) != 2 || got.Rules[0].Path != "/work/home/x.log" || got.Rules[1].Target != logfmt.Stderr {
		t.Errorf("got %+v", got.Rules)
	}
	if got.Granularity != 8*time.Millisecond || !got.Reveal || !got.Truncate || got.SyslogTag != "t" {
		t.Errorf("got %+v", got)
	}
	for _, text := range []string{"SafeLogging 1", "SafeLogging relay", "SafeLogging"} {
		if mustLoad(t, text).Client.Log.Reveal {
			t.Errorf("%q reveals", text)
		}
	}
}

func TestWarnings(t *testing.T) {
	for text, want := range map[string]string{
		"Sock5 9050\n":             "",
		"SafeSock 1":               "The abbreviation 'SafeSock' is deprecated. Please use 'SafeSocks' instead",
		"MaxConn 1000":             "The configuration option 'MaxConn' is deprecated; use 'ConnLimit' instead.",
		"Tor2webMode 1":            `Skipping obsolete configuration option "Tor2webMode".`,
		"SafeSocks 1\nSafeSocks 0": "Option 'SafeSocks' used more than once; all but the last value will be ignored.",
		"SocksPort":                "Linelist option 'SocksPort' has no value. Skipping.",
		"MaxCircuitDirtiness 1":    "MaxCircuitDirtiness option is too short; raising to 10 seconds.",
		"SocksPort 9050 CacheDNS":  "CacheDNS on a SocksPort has no effect: remembering names for a client would let one bad exit send it astray later.",
		"DataDirectory x":          "Path for DataDirectory (x) is relative and will resolve to /work/x. Is this what you wanted?",
	} {
		c, err := load(text)
		if want == "" {
			if err == nil {
				t.Errorf("%q: want an error", text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff([]string{want}, warnings(c)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args string
		want config.CommandLine
	}{
		{"", config.CommandLine{}},
		{"--version", config.CommandLine{Command: config.Version, Quiet: logfmt.Hush}},
		{"-f x --verify-config --hush", config.CommandLine{Command: config.VerifyConfig, Torrc: "x", Quiet: logfmt.Hush}},
		{"--quiet --hush", config.CommandLine{Quiet: logfmt.Silent}},
		{"--dump-config short -f x", config.CommandLine{Command: config.DumpConfig, Arg: "short", Torrc: "x", Quiet: logfmt.Silent}},
		{"--hash-password -x", config.CommandLine{Command: config.HashPassword, Arg: "-x", Quiet: logfmt.Hush}},
		{"--verify-config --help", config.CommandLine{Command: config.Help, Quiet: logfmt.Hush}},
		{"--list-torrc-options --verify-config", config.CommandLine{Command: config.ListOptions, Quiet: logfmt.Hush}},
		{"--ignore-missing-torrc --allow-missing-torrc --defaults-torrc d", config.CommandLine{IgnoreMissing: true, AllowMissing: true, Defaults: "d"}},
		{"DataDirectory D -l x", config.CommandLine{Lines: []torrc.Line{
			{Key: "DataDirectory", Value: "D", File: torrc.CommandLine, Num: 1}, {Key: "l", Value: "x", File: torrc.CommandLine, Num: 2},
		}}},
	} {
		got, err := config.ParseCommandLine(strings.Fields(tt.args))
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.args, diff)
		}
	}
	for _, args := range []string{"-f", "--dump-config", "--dump-config long", "-f a --torrc-file b", "--SocksPort", "--hash-password", "--"} {
		if got, err := config.ParseCommandLine(strings.Fields(args)); err == nil {
			t.Errorf("%s: got %+v, want an error", args, got)
		}
	}
}

// A browser starts its tor like this; the parts that are not built are refused, the others are understood.
func TestBrowserCommandLine(t *testing.T) {
	args := []string{
		"--defaults-torrc", "D", "-f", "T", "DataDirectory", "/D", "GeoIPFile", "/F", "HashedControlPassword", "16:5F90CF2A1C126E6F60FD4F77E97120E2D971846D104CDB6625ECB9CD3E",
		"+__SocksPort", "127.0.0.1:9150 IPv6Traffic PreferIPv6 KeepAliveIsolateSOCKSAuth", "__OwningControllerProcess", "123",
	}
	cmd, err := config.ParseCommandLine(args)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(cmd, host(map[string]string{"D": "", "T": "SocksPort 9150"}))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Client.SocksPorts) != 2 || !c.Client.SocksPorts[1].Isolate.KeepAlive || len(c.Values.Lines("__HashedControlSessionPassword")) != 1 {
		t.Errorf("got %+v", c.Client.SocksPorts)
	}
	if got := string(c.Dump(false)); strings.Contains(got, "__") || strings.Contains(got, "16:") {
		t.Errorf("a saved file would have %q", got)
	}
	cmd, _ = config.ParseCommandLine(append(args, "+__ControlPort", "9151"))
	if _, err := config.Load(cmd, host(map[string]string{"D": "", "T": ""})); err == nil || !strings.HasPrefix(err.Error(), "command line: __ControlPort: not built") {
		t.Errorf("got %v", err)
	}
}

func TestCanBecome(t *testing.T) {
	was := mustLoad(t, "DataDirectory /d\nKeyDirectory /k\nORPort 9001")
	for text, want := range map[string]string{
		"DataDirectory /d\nKeyDirectory /k\nORPort 9002\nNickname x": "",
		"DataDirectory /d\nORPort 9001":                              "while Tor is running, changing KeyDirectory is not allowed",
		"DataDirectory /d\nKeyDirectory /k\nFamilyKeyDirectory /f":   "while Tor is running, changing FamilyKeyDirectory is not allowed",
	} {
		got := ""
		if err := was.CanBecome(mustLoad(t, text)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestHashControlPassword(t *testing.T) {
	const want = "16:5F90CF2A1C126E6F60FD4F77E97120E2D971846D104CDB6625ECB9CD3E" // by C tor
	if got := config.HashControlPassword("foo bar", [8]byte{0x5f, 0x90, 0xcf, 0x2a, 0x1c, 0x12, 0x6e, 0x6f}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		"SocksPort 9050 IsolateDestAddr\nLog notice file /x\nExcludeNodes a,1.2.3.4\n", "+SocksPort unix:\"/a b\" OnionTrafficOnly\n/Log", "BandwidthRate 1 MB",
		"DirAuthority a" + authority + "\nTestingTorNetwork 1\nNodeFamily a,b", "HashedControlPassword 16:00\nVirtualAddrNetworkIPv6 [fc00::]/7", "l x\nSafeSock 1", "A",
	} {
		f.Add(s)
	}
	for _, tt := range goodRelays {
		f.Add(tt.torrc)
	}
	for _, tt := range badRelays {
		f.Add(tt.torrc)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := load(text)
		if err != nil {
			return
		}
		if c.Values.Bool("UseBridges") {
			t.Fatal("bridges are not built, and were accepted")
		}
		if _, ok := c.Relay.Advertised(false); ok != c.Relay.Enabled() {
			t.Fatal("a relay with nothing to publish, or the other way round")
		}
		short := string(c.Dump(false))
		again, err := load(short)
		if err != nil {
			t.Fatalf("%q: %v", short, err)
		}
		if diff := cmp.Diff(string(c.Dump(true)), string(again.Dump(true))); diff != "" {
			t.Error(diff)
		}
		if was, is := fmt.Sprintf("%+v", c.Relay), fmt.Sprintf("%+v", again.Relay); was != is && !strings.Contains(text, "__") { // a dump leaves those out
			t.Errorf("got %s, was %s", is, was)
		}
	})
}

func FuzzCommandLine(f *testing.F) {
	f.Add("--dump-config\x01short\x01+SocksPort\x019050\x01-f\x01-")
	f.Fuzz(func(t *testing.T, args string) {
		cmd, err := config.ParseCommandLine(strings.Split(args, "\x01"))
		if err != nil {
			return
		}
		if _, err := config.Load(cmd, host(nil)); err == nil && cmd.Torrc != "" && cmd.Torrc != "-" && !cmd.IgnoreMissing && !cmd.AllowMissing {
			t.Error("a file that does not exist was read")
		}
	})
}
