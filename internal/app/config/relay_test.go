package config_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// relay is the least that a relay says, for files in which something else counts.
const relay = "ORPort 9001\nContactInfo c\nExitRelay 0\n"

const fingerprint = "1A25C6358DB91342AA51720A5038B72742732498"
const familyID = "wweKJrJxUDs1EdtFFHCDtvVgTKftOC/crUl1mYJv830"

// badRelays must be refused, by C tor as well unless ours says that only we do.
var badRelays = []struct {
	name, torrc, want string
	ours              bool
}{
	{name: "port number", torrc: "ORPort 99999", want: `ORPort: "99999" is no port`},
	{name: "no port", torrc: "ORPort 192.0.2.1", want: `ORPort: "192.0.2.1" is no port`},
	{name: "port zero", torrc: "ORPort 192.0.2.1:0", want: `ORPort: "192.0.2.1:0" is no port`},
	{name: "open bracket", torrc: "ORPort [2001:db8::1:9001", want: `ORPort: "[2001:db8::1" is no IPv4`},
	{name: "unix socket", torrc: "ORPort unix:/x", want: "ORPort: unix sockets are not supported"},
	{name: "on and off", torrc: "ORPort 9001\nORPort 0", want: "ORPort: ORPort 0 stands beside another line"},
	{name: "nothing to do", torrc: "ORPort 9001 NoListen NoAdvertise", want: "ORPort: NoListen and NoAdvertise"},
	{name: "both only", torrc: "ORPort 9001 IPv4Only IPv6Only", want: "ORPort: IPv4Only and IPv6Only"},
	{name: "IPv6 address only IPv4", torrc: "ORPort [2001:db8::1]:9001 IPv4Only", want: "ORPort: IPv4Only contradicts"},
	{name: "IPv4 address only IPv6", torrc: "ORPort 192.0.2.1:9001 IPv6Only", want: "ORPort: IPv6Only contradicts"},
	{name: "IPv4 address only IPv6, automatic", torrc: "ORPort 9001\nORPort 192.0.2.1:auto IPv6Only", want: "ORPort: IPv6Only contradicts", ours: true},
	{name: "not listening", torrc: "ORPort 9001 NoListen", want: "ORPort: an ORPort is published and none listens"},
	{name: "not published", torrc: "ORPort 9001 NoAdvertise", want: "ORPort: an ORPort listens and none is published"},
	{name: "IPv6 alone", torrc: "ORPort 9001 IPv6Only", want: "ORPort: a public relay needs an ORPort on an IPv4 address"},
	{name: "IPv6 address alone", torrc: "ORPort [2001:db8::1]:9001", want: "ORPort: a public relay needs"},
	{name: "published port superseded", torrc: "ORPort 9001 NoListen\nORPort 127.0.0.1:9001 NoAdvertise", want: "ORPort: a public relay needs"},
	{name: "host name", torrc: "ORPort localhost.invalid:9001", want: `ORPort: "localhost.invalid" is no IPv4`},

	{name: "DirPort without ORPort", torrc: "DirPort 9030", want: "DirPort: not built in this version", ours: true},
	{name: "DirPort without cache", torrc: relay + "DirPort 9030\nDirCache 0", want: "DirPort: cannot be served with DirCache 0"},
	{name: "two DirPorts published", torrc: relay + "DirPort 9030\nDirPort 9031", want: "DirPort: only one DirPort can be published"},
	{name: "DirPort not listening", torrc: relay + "DirPort 80 NoListen", want: "DirPort: a DirPort is published"},
	{name: "IPv6 DirPort", torrc: relay + "DirPort [2001:db8::1]:9030", want: "DirPort: a DirPort needs an IPv4 address"},
	{name: "DirPort flags", torrc: relay + "DirPort 9030 NoListen NoAdvertise", want: "DirPort: NoListen and NoAdvertise"},
	{name: "DirPort on and off", torrc: relay + "DirPort 9030\nDirPort 0", want: "DirPort: DirPort 0 stands beside another line"},

	{name: "nickname", torrc: "Nickname a_b", want: `Nickname: "a_b" must have`},
	{name: "long nickname", torrc: "Nickname abcdefghijklmnopqrst", want: "Nickname: "},
	{name: "contact", torrc: `ContactInfo "\xff"`, want: "ContactInfo: must be UTF-8"},
	{name: "family", torrc: "MyFamily a-b", want: `MyFamily: "a-b" is no fingerprint or nickname`},
	{name: "family without commas", torrc: "MyFamily $" + fingerprint + " $" + fingerprint, want: "MyFamily: "},
	{name: "family fingerprint", torrc: "MyFamily $" + fingerprint[1:], want: `MyFamily: "$` + fingerprint[1:]},
	{name: "family dollar", torrc: "MyFamily $foo", want: `MyFamily: "$foo" is no`},
	{name: "family placeholder", torrc: "MyFamily $keyid,$keyid,...", want: `MyFamily: "$keyid" is no`},
	{name: "family fingerprint with bad nickname", torrc: "MyFamily $" + fingerprint + "=a_b", want: "MyFamily: "},
	{name: "family ID", torrc: "FamilyId x", want: `FamilyId: "x" is no family ID`},
	{name: "long family ID", torrc: "FamilyId " + familyID + "AA", want: "FamilyId: "},
	{name: "family ID with a letter that is none", torrc: "FamilyId -" + familyID[1:], want: "FamilyId: "},
	{name: "two addresses", torrc: relay + "Address 192.0.2.1\nAddress 192.0.2.2", want: "Address: only one address", ours: true},
	{name: "publish", torrc: "PublishServerDescriptor 2", want: `PublishServerDescriptor: unrecognized value "2"`},
	{name: "publish to both", torrc: "PublishServerDescriptor v3,bridge", want: "PublishServerDescriptor: a bridge does not"},
	{name: "assume", torrc: "AssumeReachable 1\nAssumeReachableIPv6 0", want: "AssumeReachable: cannot be 1"},
	{name: "distribution of no bridge", torrc: "BridgeDistribution any", want: "BridgeDistribution: needs BridgeRelay 1"},

	{name: "exit policy", torrc: "ExitPolicy accept", want: "ExitPolicy: "},
	{name: "bare exit policy", torrc: "ExitPolicy *:80", want: "ExitPolicy: "},
	{name: "exit policy with port zero", torrc: "ExitRelay 1\nExitPolicy accept *:0", want: "ExitPolicy: "},
	{name: "exit policy without commas", torrc: "ExitPolicy accept *:80 reject *:*", want: "ExitPolicy: "},
	{name: "second exit policy", torrc: "ExitPolicy accept *:80\nExitPolicy accept *:x", want: "ExitPolicy: "},
	{name: "directory policy", torrc: "DirPolicy accept 10.0.0.0/33", want: "DirPolicy: "},

	{name: "padding", torrc: relay + "ConnectionPadding 1", want: "ConnectionPadding: must be auto"},
	{name: "reduced padding", torrc: relay + "ReducedConnectionPadding 1", want: "ReducedConnectionPadding: must be 0"},
	{name: "no circuit padding", torrc: relay + "CircuitPadding 0", want: "CircuitPadding: must be 1"},
	{name: "reduced circuit padding", torrc: relay + "ReducedCircuitPadding 1", want: "ReducedCircuitPadding: must be 0"},
	{name: "no IPv4", torrc: relay + "ClientUseIPv4 0", want: "ClientUseIPv4: must be 1"},
	{name: "firewall", torrc: relay + "ReachableDirAddresses *:80", want: "ReachableDirAddresses: cannot be set"},

	{name: "little bandwidth", torrc: relay + "BandwidthRate 74 KB", want: "BandwidthRate: is 75776 bytes a second; a relay needs at least 76800"},
	{name: "little advertised", torrc: relay + "MaxAdvertisedBandwidth 38399", want: "MaxAdvertisedBandwidth: is 38399 bytes a second; a relay needs at least 38400"},
	{name: "little relayed", torrc: relay + "RelayBandwidthRate 20 KB", want: "RelayBandwidthRate: is 20480"},
	{name: "little burst", torrc: relay + "RelayBandwidthBurst 20 KB", want: "RelayBandwidthBurst: is 20480"},
	{name: "relay burst below rate", torrc: "RelayBandwidthRate 100 KB\nRelayBandwidthBurst 99 KB", want: "RelayBandwidthBurst: must be at least"},
	{name: "rate", torrc: "BandwidthRate 2147483649", want: "BandwidthRate: must be at most 2147483647 bytes, but is 2147483649"},
	{name: "rate of a connection", torrc: "PerConnBWRate 3 GB", want: "PerConnBWRate: must be at most"},
	{name: "burst of a connection", torrc: "PerConnBWBurst 3 GB", want: "PerConnBWBurst: must be at most"},
	{name: "relay rate", torrc: "RelayBandwidthRate 3 GB", want: "RelayBandwidthRate: must be at most"},
	{name: "advertised", torrc: "MaxAdvertisedBandwidth 3 GB", want: "MaxAdvertisedBandwidth: must be at most"},

	{name: "accounting rule", torrc: "AccountingRule Max", want: "AccountingRule: "},
	{name: "accounting unit", torrc: "AccountingStart year 1 00:00", want: "AccountingStart: want"},
	{name: "accounting word", torrc: "AccountingStart day", want: "AccountingStart: want"},
	{name: "accounting month without day", torrc: "AccountingStart month 15:00", want: "AccountingStart: day of the month"},
	{name: "accounting month without time", torrc: "AccountingStart month 3", want: "AccountingStart: want"},
	{name: "accounting month too long", torrc: "AccountingStart month 29 15:00", want: "AccountingStart: day of the month"},
	{name: "accounting week", torrc: "AccountingStart week 0 15:00", want: "AccountingStart: day of the week"},
	{name: "accounting week too long", torrc: "AccountingStart week 8 15:00", want: "AccountingStart: day of the week"},
	{name: "accounting day with a day", torrc: "AccountingStart day 1 15:00", want: "AccountingStart: want"},
	{name: "accounting hour", torrc: "AccountingStart day 24:00", want: "AccountingStart: hour"},
	{name: "accounting minute", torrc: "AccountingStart day 00:60", want: "AccountingStart: minute"},
	{name: "accounting colon", torrc: "AccountingStart day 0000", want: "AccountingStart: want"},
	{name: "accounting rest", torrc: "AccountingStart day 00:00x", want: "AccountingStart: minute"},
	{name: "accounting seconds", torrc: "AccountingStart day 00:00:00", want: "AccountingStart: minute"},

	{name: "bind address", torrc: "OutboundBindAddress 192.0.2.1:80", want: `OutboundBindAddress: "192.0.2.1:80" is no IP address`},
	{name: "bind name", torrc: "OutboundBindAddressOR eth0", want: `OutboundBindAddressOR: "eth0" is no`},
	{name: "bind brackets", torrc: "OutboundBindAddressExit [192.0.2.1]", want: "OutboundBindAddressExit: "},
	{name: "bind transports", torrc: "OutboundBindAddressPT x", want: "OutboundBindAddressPT: "},
	{name: "two bind addresses", torrc: "OutboundBindAddress 192.0.2.1\nOutboundBindAddress 192.0.2.2", want: "OutboundBindAddress: only one", ours: true},

	{name: "no descriptors", torrc: "ConnLimit 0", want: "ConnLimit: must be at least 1"},
	{name: "short signing key", torrc: "SigningKeyLifetime 1 day", want: "SigningKeyLifetime: must be at least twice"},
	{name: "short link certificate", torrc: testNetwork + "TestingLinkCertLifetime 1 hour", want: "TestingLinkCertLifetime: must be at least twice"},
	{name: "short authentication key", torrc: testNetwork + "TestingAuthKeyLifetime 1 hour", want: "TestingAuthKeyLifetime: must be at least twice"},
	{name: "link certificate outside of a test", torrc: relay + "TestingLinkCertLifetime 3 days", want: "TestingLinkCertLifetime: may only be changed"},
	{name: "defence", torrc: "DoSConnectionEnabled 2", want: "DoSConnectionEnabled: unrecognized"},
	{name: "defence number", torrc: "DoSCircuitCreationRate -1", want: "DoSCircuitCreationRate: "},
	{name: "relative front page", torrc: "RunAsDaemon 1\nDataDirectory /tmp\nDirPortFrontPage x", want: `DirPortFrontPage: the path "x" is relative`},
	{name: "relative keys", torrc: "RunAsDaemon 1\nDataDirectory /tmp\nKeyDirectory x", want: `KeyDirectory: the path "x" is relative`},
}

const testNetwork = "TestingTorNetwork 1\nDirAuthority a" + authority + "\n"

func TestRelayErrors(t *testing.T) {
	for _, tt := range badRelays {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(tt.torrc)
			line := 1 + strings.Count(tt.torrc, "\n")
			for line > 1 && err != nil && !strings.HasPrefix(err.Error(), fmt.Sprintf("etc/torrc:%d: ", line)) {
				line--
			}
			if want := fmt.Sprintf("etc/torrc:%d: %s", line, tt.want); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// goodRelays are accepted by C tor too, which makes the same of them.
var goodRelays = []struct{ name, torrc string }{
	{"least", "ORPort 9001"},
	{"hidden port", "__ORPort auto"},
	{"off", "ORPort 0\nDirPort 0"},
	{"client only", "ClientOnly 1\nORPort 1\nORPort 0\nDirPort 9030"},
	{"unknown flag", relay + "DirPort 9030 FooBar\nORPort 9002 AllAddrs"},
	{"forwarded", "ORPort 443 NoListen\nORPort 127.0.0.1:9090 NoAdvertise"},
	{"by family", "ORPort 9001 IPv4Only\nORPort [2001:db8::1]:9002 IPv6Only"},
	{"superseded", "ORPort 9001\nORPort 192.0.2.1:9001\nORPort [2001:db8::1]:9001\nORPort 9001"},
	{"DirPorts", relay + "DirPort 9030\nDirPort [2001:db8::1]:9030 NoAdvertise\nDirPort 9031 IPv6Only"},
	{"DirPort forwarded", relay + "DirPort 80 NoListen\nDirPort 127.0.0.1:9091 NoAdvertise\nConstrainedSockets 1"},
	{"no cache", relay + "DirCache 0"},
	{"contact", relay + `ContactInfo "a \"b\" \xc3\xa4\nc"`},
	{"who", "ORPort 9001\nNickname me\nContactInfo c\nAddress 192.0.2.1\nAddress [2001:db8::1]\nAddress example.com"},
	{"families", relay + "Nickname me\nMyFamily $" + fingerprint + ", " + fingerprint + "=x ,me, ot her\nMyFamily\nMyFamily " + fingerprint +
		"~y\nFamilyId *\nFamilyId " + familyID + "\nFamilyId " + familyID + "="},
	{"publish nothing", relay + "PublishServerDescriptor 0"},
	{"publish", relay + "PublishServerDescriptor V3"},
	{"publish, empty", relay + "PublishServerDescriptor"},
	{"publish much", relay + "PublishServerDescriptor 1,v3,v2,0"},
	{"publish as a bridge", relay + "PublishServerDescriptor bridge"},
	{"exit", "ORPort 9001\nContactInfo c\nExitRelay 1\nIPv6Exit 1\nExitPolicyRejectLocalInterfaces 1\nExitPolicyRejectPrivate 0"},
	{"exit policy", "ORPort 9001\nContactInfo c\nExitPolicy accept *:6660-6667,reject *:*\nExitPolicy accept6 1.2.3.4:80, reject private:80"},
	{"bad exit policy that does not matter", relay + "ExitPolicy hello"},
	{"reduced exit policy", relay + "ReducedExitPolicy 1\nExitRelay 1\nRefuseUnknownExits 0\nReevaluateExitPolicy 1"},
	{"DirPolicy", relay + "DirPolicy accept 192.0.2.0/24:80, reject *"},
	{"rate", relay + "RelayBandwidthRate 100 KB\nPerConnBWRate 10 KB\nPerConnBWBurst 20 KB"},
	{"burst", relay + "RelayBandwidthBurst 200 KB\nMaxAdvertisedBandwidth 37.5 KB"},
	{"2 GB", relay + "BandwidthRate 2 GB\nBandwidthBurst 2147483648\nRelayBandwidthRate 2 GB\nMaxAdvertisedBandwidth 2 GB\nPerConnBWRate 2 GB\nPerConnBWBurst 2 GB"},
	{"relay rate above rate", relay + "BandwidthRate 1 MB\nBandwidthBurst 1 MB\nRelayBandwidthRate 1500 MB\nRelayBandwidthBurst 1600 MB"},
	{"least rate", relay + "BandwidthRate 75 KB"},
	{"rate of a client", "BandwidthRate 1 KB\nRelayBandwidthRate 1 KB\nMaxAdvertisedBandwidth 0"},
	{"accounting", relay + "AccountingMax 4 GB\nAccountingStart month 3 15:00\nAccountingRule sum"},
	{"accounting by week", relay + "AccountingStart WEEK 7 9:5\nAccountingRule out"},
	{"accounting by day", relay + "AccountingStart day 00:00\nAccountingRule in"},
	{"accounting, empty", relay + "AccountingStart"},
	{"low port and accounting", "ORPort 443\nAccountingMax 1 TB\nKeepBindCapabilities 0"},
	{"bind", relay + "OutboundBindAddress 10.0.0.5\nOutboundBindAddress [2001:db8::5]\nOutboundBindAddressExit 2001:db8::6\nOutboundBindAddressOR 0.0.0.0"},
	{"memory", relay + "MaxMemInQueues 1 MB"},
	{"memory of a client", "MaxMemInQueues 1 MB"},
	{"limits", relay + "ConnLimit 500\nShutdownWaitLength 1 minute\nNumCPUs 2\nHeartbeatPeriod 0\nMaxOnionQueueDelay 2 seconds\nMaxConsensusAgeForDiffs 1 day"},
	{"defences", relay + "DoSCircuitCreationEnabled 1\nDoSCircuitCreationDefenseType -3\nDoSCircuitCreationDefenseTimePeriod 1 hour\nDoSConnectionConnectBurst 9"},
	{"keys", relay + "OfflineMasterKey 1\nSigningKeyLifetime 2 days\nSSLKeyLifetime 1 week\nKeyDirectory /k\nFamilyKeyDirectory /f\nKeyDirectoryGroupReadable 1"},
	{"names", relay + "ServerDNSResolvConfFile /r\nServerDNSTestAddresses a,b\nServerDNSSearchDomains 1\nServerDNSAllowBrokenConfig 0"},
	{"test network", testNetwork + relay + "TestingLinkCertLifetime 6 hours\nTestingSigningKeySlop 1 hour\nTestingAuthKeySlop 1 hour\nAssumeReachable 1"},
	{"as Debian has it", debian},
}

// debian has the lines that Debian's /etc/tor/torrc proposes to relays, where they do not exclude each other.
const debian = `SocksPort 0
ORPort 9001
ORPort 443 NoListen
ORPort 127.0.0.1:9090 NoAdvertise
Address noname.example.com
OutboundBindAddressExit 10.0.0.4
OutboundBindAddressOR 10.0.0.5
Nickname ididnteditheconfig
RelayBandwidthRate 100 KBytes  # Throttle traffic to 100KB/s (800Kbps)
RelayBandwidthBurst 200 KBytes # But allow bursts up to 200KB (1600Kb)
AccountingMax 40 GBytes
AccountingStart day 00:00
AccountingStart month 3 15:00
ContactInfo Random Person <nobody AT example dot com>
ContactInfo 0xFFFFFFFF Random Person <nobody AT example dot com>
DirPort 80 NoListen
DirPort 127.0.0.1:9091 NoAdvertise
DirPortFrontPage /etc/tor/tor-exit-notice.html
MyFamily $` + fingerprint + `,$` + fingerprint + `
ExitRelay 1
IPv6Exit 1
ReducedExitPolicy 1
ReevaluateExitPolicy 1
ExitPolicy accept *:6660-6667,reject *:* # allow irc ports but no more
ExitPolicy accept *:119 # accept nntp as well as default exit policy
ExitPolicy accept *4:119
ExitPolicy accept6 *6:119
ExitPolicy reject *:*
PublishServerDescriptor 0
`

func TestGoodRelays(t *testing.T) {
	for _, tt := range goodRelays {
		if _, err := load(tt.torrc); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func orPorts(r config.Relay) (list []string) {
	for _, p := range r.ORPorts {
		s := p.Listen.Addr.String()
		for flag, on := range map[string]bool{"auto": p.Listen.Auto, "explicit": p.Explicit, "hidden": p.NoAdvertise, "elsewhere": p.NoListen} {
			if on {
				s += " " + flag
			}
		}
		list = append(list, strings.Join(slices.Sorted(strings.FieldsSeq(s)), " "))
	}
	return list
}

func TestORPorts(t *testing.T) {
	for _, tt := range []struct {
		name, torrc  string
		want, v4, v6 string
	}{
		{"none", "", "", "", ""},
		{"off", "ORPort 0", "", "", ""},
		{"client only", "ClientOnly 1\nORPort 9001", "", "", ""},
		{"both families", "ORPort 9001", "0.0.0.0:9001, [::]:9001", "0.0.0.0:9001", "[::]:9001"},
		{"automatic", "ORPort auto", "0.0.0.0:0 auto, [::]:0 auto", "0.0.0.0:0", "[::]:0"},
		{"IPv4", "ORPort 9001 ipv4only", "0.0.0.0:9001", "0.0.0.0:9001", ""},
		{"an address", "ORPort 192.0.2.1:9001", "192.0.2.1:9001 explicit", "192.0.2.1:9001", ""},
		{"the address counts", "ORPort 9002\nORPort 192.0.2.1:9001\nORPort [2001:db8::1]:9001",
			"0.0.0.0:9002, 192.0.2.1:9001 explicit, [2001:db8::1]:9001 explicit, [::]:9002", "192.0.2.1:9001", "[2001:db8::1]:9001"},
		{"an address supersedes", "ORPort 9001\nORPort [2001:db8::1]:9001", "0.0.0.0:9001, [2001:db8::1]:9001 explicit", "0.0.0.0:9001", "[2001:db8::1]:9001"},
		{"forwarded", "ORPort 443 NoListen\nORPort 9090 NoAdvertise",
			"0.0.0.0:443 elsewhere, 0.0.0.0:9090 hidden, [::]:443 elsewhere, [::]:9090 hidden", "0.0.0.0:443", "[::]:443"},
		{"the same port, forwarded", "ORPort 192.0.2.1:9001 NoListen\nORPort 127.0.0.1:9001 NoAdvertise",
			"192.0.2.1:9001 elsewhere explicit, 127.0.0.1:9001 explicit hidden", "192.0.2.1:9001", ""},
		{"repeated", "ORPort 9001\nORPort 9001\n__ORPort 192.0.2.1:9002\nORPort 192.0.2.1:9002 NoAdvertise", "0.0.0.0:9001, 192.0.2.1:9002 explicit, [::]:9001", "192.0.2.1:9002", "[::]:9001"},
		{"no IPv6 address", "ORPort 9001\nAddressDisableIPv6 1", "0.0.0.0:9001, [::]:9001", "0.0.0.0:9001", ""},
		{"mapped", "ORPort 9001 IPv4Only\nORPort [::ffff:192.0.2.1]:9001", "0.0.0.0:9001, [::ffff:192.0.2.1]:9001 explicit", "0.0.0.0:9001", "[::ffff:192.0.2.1]:9001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := mustLoad(t, tt.torrc).Relay
			if r.Enabled() != (tt.want != "") {
				t.Errorf("enabled: %v", r.Enabled())
			}
			var want []string
			for s := range strings.SplitSeq(tt.want, ", ") {
				if s != "" {
					want = append(want, strings.Join(slices.Sorted(strings.FieldsSeq(s)), " "))
				}
			}
			if diff := cmp.Diff(want, orPorts(r)); diff != "" {
				t.Error(diff)
			}
			for v6, want := range map[bool]string{false: tt.v4, true: tt.v6} {
				got := ""
				if p, ok := r.Advertised(v6); ok {
					got = p.Listen.Addr.String()
				}
				if got != want {
					t.Errorf("IPv6 %v: %q is published, want %q", v6, got, want)
				}
			}
		})
	}
}

func TestDirPorts(t *testing.T) {
	got := mustLoad(t, relay+"DirPort 80 NoListen\nDirPort 127.0.0.1:9091 NoAdvertise\nDirPort 9031 IPv6Only").Relay.DirPorts
	want := []config.DirPort{
		{Listen: torrc.Listen{Addr: netip.MustParseAddrPort("0.0.0.0:80")}, NoListen: true},
		{Listen: torrc.Listen{Addr: netip.MustParseAddrPort("127.0.0.1:9091")}, Explicit: true, NoAdvertise: true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRelayDefaults(t *testing.T) {
	got := mustLoad(t, "ORPort 9001").Relay
	want := config.Relay{
		Nickname: "Unnamed", Publish: true, AssumeIPv6: torrc.Auto, DirCache: true,
		Keys: config.RelayKeys{
			SigningKeyLifetime: 30 * 24 * time.Hour, LinkCertLifetime: 48 * time.Hour, AuthKeyLifetime: 48 * time.Hour,
			SigningKeySlop: 24 * time.Hour, LinkKeySlop: 3 * time.Hour, AuthKeySlop: 3 * time.Hour,
		},
		Exit: config.RelayExit{Exit: torrc.Auto, RejectPrivate: true, RefuseUnknown: torrc.Auto},
		DNS: config.RelayDNS{
			AllowBroken: true, DetectHijacking: true, RandomizeCase: true,
			TestAddresses: []string{"www.google.com", "www.mit.edu", "www.yahoo.com", "www.slashdot.org"},
		},
		Bandwidth: config.RelayBandwidth{Rate: 1 << 30, Burst: 1 << 30, MaxAdvertised: 1 << 30},
		Account:   config.Accounting{Start: config.AccountingStart{Day: 1}},
		Limits:    config.RelayLimits{MaxMemInQueues: 8 << 30, ConnLimit: 1000, ShutdownWait: 30 * time.Second, DisableOOSCheck: true},
		DoS:       config.DoS{CircuitCreation: torrc.Auto, Connection: torrc.Auto, StreamCreation: torrc.Auto, SingleHopRend: torrc.Auto},
		Stats: config.RelayStats{
			ExtraInfo: true, DirReq: true, HiddenService: true, Overload: true, Padding: true,
			GeoIP: "/usr/share/tor/geoip", GeoIP6: "/usr/share/tor/geoip6",
		},
		Heartbeat: 6 * time.Hour,
	}
	got.ORPorts = nil
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if c := mustLoad(t, ""); c.Relay.Nickname != "" || c.Values.IsSet("Nickname") {
		t.Errorf("a client has the nickname %q", c.Relay.Nickname)
	}
}

func TestRelaySettings(t *testing.T) {
	r := mustLoad(t, `ORPort 9001
Nickname Me
ContactInfo "a\nb"
Address [2001:db8::1]
Address example.com
MyFamily me, `+strings.ToLower(fingerprint)+`~x,$`+fingerprint+`=y, 1A25 C635 8DB9 1342 AA51 720A 5038 B727 4273 2498
MyFamily other
FamilyId *
FamilyId `+familyID+`=
FamilyKeyDirectory ~/f
KeyDirectory data
DataDirectory data
DataDirectoryGroupReadable 1
PublishServerDescriptor 0
RelayBandwidthBurst 2000 MB
AccountingMax 1 GB
AccountingRule in
AccountingStart week 3 7:05
OutboundBindAddress 192.0.2.1
OutboundBindAddress 2001:db8::1
OutboundBindAddressOR 192.0.2.2
OutboundBindAddressExit [2001:db8::3]
DirPolicy reject 192.0.2.0/24:80, accept *
DoSCircuitCreationMinConnections 1
DoSCircuitCreationRate 2
DoSCircuitCreationBurst 3
DoSCircuitCreationDefenseType 1
DoSCircuitCreationDefenseTimePeriod 4
DoSConnectionMaxConcurrentCount 5
DoSConnectionConnectRate 6
DoSConnectionConnectBurst 7
DoSConnectionDefenseType 2
DoSConnectionConnectDefenseTimePeriod 8
DoSStreamCreationRate 9
DoSStreamCreationBurst 10
DoSStreamCreationDefenseType 3
`).Relay
	wantDoS := config.DoS{CircuitCreation: torrc.Auto, Connection: torrc.Auto, StreamCreation: torrc.Auto, SingleHopRend: torrc.Auto}
	wantDoS.Circuit.MinConnections, wantDoS.Circuit.Rate, wantDoS.Circuit.Burst, wantDoS.Circuit.Defense, wantDoS.Circuit.Period = 1, 2, 3, 1, 4*time.Second
	wantDoS.Conn.MaxConcurrent, wantDoS.Conn.ConnectRate, wantDoS.Conn.ConnectBurst, wantDoS.Conn.Defense, wantDoS.Conn.Period = 5, 6, 7, 2, 8*time.Second
	wantDoS.Stream.Rate, wantDoS.Stream.Burst, wantDoS.Stream.Defense = 9, 10, 3
	addr := netip.MustParseAddr
	for _, tt := range []struct{ name, got, want any }{
		{"contact", r.Contact, `"a\nb"`},
		{"addresses", r.Addresses, []string{"2001:db8::1", "example.com"}},
		{"families", r.Families, config.RelayFamilies{Members: []string{"$" + fingerprint, "$" + fingerprint, "$" + fingerprint, "other"}, IDs: []string{familyID}, AnyID: true, Directory: "/work/home/f"}},
		{"key directory", r.Keys.Directory, "/work/data"},
		{"readable", r.Keys.GroupReadable, true},
		{"publish", r.Publish, false},
		{"bandwidth", r.Bandwidth, config.RelayBandwidth{Rate: 2000 << 20, Burst: 2000 << 20, RelayRate: 2000 << 20, RelayBurst: 2000 << 20, MaxAdvertised: 1 << 30}},
		{"accounting", r.Account, config.Accounting{Max: 1 << 30, Rule: config.AccountIn, Start: config.AccountingStart{Unit: config.AccountWeek, Day: 3, Hour: 7, Minute: 5}}},
		{"outbound", r.Outbound, config.Outbound{OR4: addr("192.0.2.2"), OR6: addr("2001:db8::1"), Exit4: addr("192.0.2.1"), Exit6: addr("2001:db8::3")}},
		{"DirPolicy", fmt.Sprint(r.DirPolicy), "[reject 192.0.2.0/24:* accept *4:* accept *6:*]"},
		{"defences", r.DoS, wantDoS},
	} {
		if diff := cmp.Diff(tt.want, tt.got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// C tor's rule: policies_parse_exit_policy_from_options.
func TestExitPolicy(t *testing.T) {
	for _, tt := range []struct{ name, torrc, want string }{
		{"nothing said", "", "reject"},
		{"no exit", "ExitRelay 0\nExitPolicy accept *:80\nIPv6Exit 1", "reject"},
		{"exit", "ExitRelay 1", "default"},
		{"by a policy", "ExitPolicy accept *:80", "accept *4:80 accept *6:80 default"},
		{"by the reduced policy", "ReducedExitPolicy 1", "reduced"},
		{"by IPv6", "IPv6Exit 1", "default IPv6"},
		{"of many lines", "ExitPolicy accept *4:80, reject *4:*\nExitPolicy reject6 *6:*\nReducedExitPolicy 1", "accept *4:80 reject *4:* reject *6:* reduced"},
	} {
		own := mustLoad(t, "ORPort 9001\nContactInfo c\n"+tt.torrc).Relay.Exit.Own
		var got []string
		for _, r := range own.Rules {
			got = append(got, r.String())
		}
		got = append(got, map[exitpolicy.Ending]string{exitpolicy.EndReject: "reject", exitpolicy.EndDefault: "default", exitpolicy.EndReduced: "reduced"}[own.Ending])
		if own.IPv6 {
			got = append(got, "IPv6")
		}
		if s := strings.Join(got, " "); s != tt.want || own.RejectPrivate != (tt.want != "reject") {
			t.Errorf("%s: got %s, want %s", tt.name, s, tt.want)
		}
	}
}

func TestRelayMessages(t *testing.T) {
	const noExit = "By default, Tor does not run as an exit relay."
	for _, tt := range []struct {
		name, torrc string
		memory      uint64
		want        []string // beginnings
	}{
		{"quiet", relay + "MaxMemInQueues 1 GB", 0, nil},
		{"defaults", "ORPort 9001\nContactInfo c", 4 << 30, []string{"Based on detected system memory, MaxMemInQueues is set to 3072 MB.", noExit}},
		{"memory not known", relay, 0, []string{"MaxMemInQueues is set to 8192 MB."}},
		{"little memory", relay, 200 << 20, []string{"Based on detected system memory, MaxMemInQueues is set to 256 MB.", "This machine has less than 300 MB"}},
		{"small queues", relay + "MaxMemInQueues 255 MB", 0, []string{"MaxMemInQueues is set to a low value"}},
		{"tiny queues", relay + "MaxMemInQueues 63 MB", 0, []string{"MaxMemInQueues must be at least 64 MB"}},
		{"tiny queues of a client", "MaxMemInQueues 63 MB", 0, []string{"MaxMemInQueues is set to a low value"}},
		{"no contact", "ORPort 9001\nExitRelay 0\nMaxMemInQueues 1 GB\nMyFamily a", 0, []string{"MyFamily is set but ContactInfo is not", "Your ContactInfo config option is not set."}},
		{"no cache", relay + "MaxMemInQueues 1 GB\nDirCache 0", 1 << 30, []string{"DirCache is disabled and we are configured as a relay. We will not become a Guard."}},
		{"no cache, little memory", relay + "MaxMemInQueues 1 GB\nDirCache 0", 200 << 20, nil},
		{"constrained", relay + "MaxMemInQueues 1 GB\nDirPort 9030\nConstrainedSockets 1", 0, []string{"These options have no effect", "ConstrainedSockets makes"}},
		{"unknown flag", relay + "MaxMemInQueues 1 GB\nORPort 9002 Foo", 0, []string{`Unrecognized ORPort option '"Foo"'`}},
		{"superseded", relay + "MaxMemInQueues 1 GB\nORPort 192.0.2.1:9001\nORPort [2001:db8::1]:auto\nORPort auto IPv6Only", 0, []string{
			"Configuration port ORPort 9001 superseded by ORPort 192.0.2.1:9001", "Configuration port ORPort auto superseded by ORPort [2001:db8::1]:auto"}},
		{"late rules", "ORPort 9001\nContactInfo c\nMaxMemInQueues 1 GB\nExitPolicy accept *:80,reject *:*,accept *:81", 0, []string{"Exit policy 'accept *4:81' and all that follows"}},
		{"late rules, IPv6", "ORPort 9001\nContactInfo c\nMaxMemInQueues 1 GB\nIPv6Exit 1\nExitPolicy reject *4:*,accept *6:80,reject *6:*,accept *:81", 0, []string{"Exit policy 'accept *4:81'"}},
		{"rules in time", "ORPort 9001\nContactInfo c\nMaxMemInQueues 1 GB\nIPv6Exit 1\nExitPolicy reject *4:*,accept *6:80,reject *:*", 0, nil},
		{"rule that fits no address", "ORPort 9001\nContactInfo c\nMaxMemInQueues 1 GB\nExitPolicy accept6 1.2.3.4:80", 0, []string{`ExitPolicy: ignoring "accept6 1.2.3.4:80"`}},
		{"ports in DirPolicy", relay + "MaxMemInQueues 1 GB\nDirPolicy reject *:80", 0, []string{"Ignoring ports in DirPolicy option."}},
		{"publish", relay + "MaxMemInQueues 1 GB\nPublishServerDescriptor 1,v2", 0, []string{"PublishServerDescriptor: 1 should stand alone", "PublishServerDescriptor v2 has no effect"}},
		{"hibernation on a low port", "ContactInfo c\nORPort 443\nExitRelay 0\nMaxMemInQueues 1 GB\nKeepBindCapabilities 0\nAccountingMax 1 GB", 0, []string{"These options have no effect", "With KeepBindCapabilities 0"}},
		{"nothing to do", "SocksPort 0", 0, []string{"SocksPort, TransPort, NATDPort, DNSPort, and ORPort are all undefined"}},
		{"a relay and no client", "SocksPort 0\nMaxMemInQueues 1 GB\n" + relay, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := host(map[string]string{"etc/torrc": tt.torrc})
			h.Memory = tt.memory
			c, err := config.Load(config.CommandLine{}, h)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range c.Messages {
				if m.Level >= safelog.LevelNotice && !strings.HasPrefix(m.Text, "Read configuration file") && !strings.Contains(m.Text, "not present") {
					got = append(got, m.Text)
				}
			}
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestMaxMemInQueues(t *testing.T) {
	for _, tt := range []struct {
		torrc  string
		memory uint64 // in MB
		want   uint64 // in MB
	}{
		{"", 0, 8192}, {"", 100, 256}, {"", 1024, 768}, {"", 8191, 6143}, {"", 10240, 4096}, {"", 32768, 8192},
		{"MaxMemInQueues 1 MB", 0, 1}, {relay + "MaxMemInQueues 1 MB", 0, 64}, {relay + "MaxMemInQueues 100 MB", 0, 100}, {relay + "MaxMemInQueues 20 GB", 1024, 20480},
	} {
		h := host(map[string]string{"etc/torrc": tt.torrc})
		h.Memory = tt.memory << 20
		c, err := config.Load(config.CommandLine{}, h)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Relay.Limits.MaxMemInQueues >> 20; got != tt.want {
			t.Errorf("%q on %d MB: got %d MB, want %d MB", tt.torrc, tt.memory, got, tt.want)
		}
	}
	if h := config.System(); h.Memory != 0 && h.Memory < 1<<24 {
		t.Errorf("this machine is said to have %d bytes of memory", h.Memory)
	}
}

// Which ports C tor drops can be seen in its log.
func TestSupersededAsCTor(t *testing.T) {
	for _, text := range []string{
		"ORPort 9001\nORPort 192.0.2.1:9001\nORPort [2001:db8::1]:9001\nORPort 9001 IPv4Only",
		"ORPort [2001:db8::1]:9002\nORPort 192.0.2.1:9001 NoAdvertise\nORPort 192.0.2.1:9001\nORPort 9002 NoAdvertise\nORPort 192.0.2.2:9002",
		"ORPort auto NoAdvertise\nORPort auto\nORPort 9001\nORPort 0.0.0.0:9001",
	} {
		file := filepath.Join(t.TempDir(), "torrc")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var want, got []string
		out, _ := ctor(t, "-f", file, "--defaults-torrc", file+"-none", "--verify-config")
		for line := range strings.Lines(out) {
			if _, port, ok := strings.Cut(line, "[warn] Configuration port "); ok {
				want = append(want, strings.TrimSpace(port))
			}
		}
		c, err := load(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range warnings(c) {
			if port, ok := strings.CutPrefix(w, "Configuration port "); ok {
				got = append(got, port)
			}
		}
		want = slices.Compact(want) // C tor reads lines with an address twice
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestRelaysAsCTor(t *testing.T) {
	var cases []dumpCase
	for _, tt := range goodRelays {
		cases = append(cases, dumpCase{name: tt.name, torrc: tt.torrc})
	}
	for _, tt := range badRelays {
		if !tt.ours {
			cases = append(cases, dumpCase{name: tt.name, torrc: tt.torrc, bad: true})
		}
	}
	compareDumps(t, cases)
}
