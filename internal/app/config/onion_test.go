package config_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/app/config"
)

func TestOnions(t *testing.T) {
	c, err := load(`
HiddenServiceDir /a
HiddenServicePort 80
HiddenServicePort 81 8081
HiddenServicePort 82 127.0.0.2:8082
HiddenServicePort 83 unix:/run/web
HiddenServicePort 84 unix:"/run/my web"
HiddenServicePort 85 [::1]:8085
HiddenServicePort 86 10.0.0.1
HiddenServicePort 443 localhost:8443
HiddenServiceVersion 3
HiddenServiceDir /b/
HiddenServicePort 22
HiddenServiceDirGroupReadable 1
HiddenServiceAllowUnknownPorts 1
HiddenServiceMaxStreams 7
HiddenServiceMaxStreamsCloseCircuit 1
HiddenServiceNumIntroductionPoints 20
HiddenServiceExportCircuitID haproxy
HiddenServiceEnableIntroDoSDefense 1
HiddenServiceEnableIntroDoSRatePerSec 5
HiddenServiceEnableIntroDoSBurstPerSec 6
HiddenServiceOnionBalanceInstance 1
HiddenServicePoWDefensesEnabled 1
HiddenServicePoWQueueRate 3
HiddenServicePoWQueueBurst 4
PublishHidServDescriptors 0
`)
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
	want := config.Onions{
		Unpublished: true,
		Services: []config.Onion{{
			Dir: "/a", Points: 3, IntroRate: 25, IntroBurst: 200, PoWRate: 250, PoWBurst: 2500,
			Ports: []config.OnionPort{
				{Port: 80, Addr: at("127.0.0.1:80")}, {Port: 81, Addr: at("127.0.0.1:8081")}, {Port: 82, Addr: at("127.0.0.2:8082")},
				{Port: 83, Path: "/run/web"}, {Port: 84, Path: "/run/my web"}, {Port: 85, Addr: at("[::1]:8085")},
				{Port: 86, Addr: at("10.0.0.1:86")}, {Port: 443, Addr: at("127.0.0.1:8443")},
			},
		}, {
			Dir: "/b", Ports: []config.OnionPort{{Port: 22, Addr: at("127.0.0.1:22")}},
			GroupReadable: true, UnknownPorts: true, MaxStreams: 7, CloseAtMax: true, Points: 20, ExportCircuit: true,
			IntroDefense: true, IntroRate: 5, IntroBurst: 6, OnionBalance: true, PoW: true, PoWRate: 3, PoWBurst: 4,
		}},
	}
	if d := cmp.Diff(want, c.Onions, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

func TestOnionsBad(t *testing.T) {
	const dir = "HiddenServiceDir /a\n"
	for _, tt := range []struct{ name, text, want string }{
		{"no directory", "HiddenServicePort 80", "etc/torrc:1: HiddenServicePort: there is no HiddenServiceDir"},
		{"no port", dir + "HiddenServiceDir /b\nHiddenServicePort 80", "etc/torrc:1: HiddenServiceDir: onion service without"},
		{"no port at the end", dir, "etc/torrc:1: HiddenServiceDir: onion service without"},
		{"twice", dir + "HiddenServicePort 80\nHiddenServiceDir /a/\nHiddenServicePort 80", "etc/torrc:3: HiddenServiceDir: another"},
		{"port 0", dir + "HiddenServicePort 0", "no port"},
		{"port auto", dir + "HiddenServicePort 80 auto", "no port, address:port"},
		{"name", dir + "HiddenServicePort 80 example.com:80", "no IPv4"},
		{"too much", dir + "HiddenServicePort 80 81 82", "no port, address:port"},
		{"version 2", dir + "HiddenServicePort 80\nHiddenServiceVersion 2", "no more"},
		{"two introduction points", dir + "HiddenServicePort 80\nHiddenServiceNumIntroductionPoints 2", "etc/torrc:3: "},
		{"21 introduction points", dir + "HiddenServicePort 80\nHiddenServiceNumIntroductionPoints 21", "etc/torrc:3: "},
		{"export", dir + "HiddenServicePort 80\nHiddenServiceExportCircuitID x", "haproxy or none"},
		{"burst", dir + "HiddenServicePort 80\nHiddenServiceEnableIntroDoSDefense 1\nHiddenServiceEnableIntroDoSBurstPerSec 1", "must not be smaller"},
		{"queue", dir + "HiddenServicePort 80\nHiddenServicePoWDefensesEnabled 1\nHiddenServicePoWQueueBurst 1", "must not be smaller"},
		{"single hop alone", "HiddenServiceSingleHopMode 1", "go together"},
		{"non-anonymous alone", "HiddenServiceNonAnonymousMode 1", "go together"},
		{"non-anonymous client", "HiddenServiceNonAnonymousMode 1\nHiddenServiceSingleHopMode 1\nSocksPort 9050", "anonymous client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := load(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := load("HiddenServiceNonAnonymousMode 1\nHiddenServiceSingleHopMode 1\nSocksPort 0\n" + dir + "HiddenServicePort 80"); err != nil {
		t.Error(err)
	}
}
