package config_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/app/config"
)

// These tests ask C tor, if version 0.4.9.11 of it is there.

func ctor(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	version, err := exec.Command("tor", "--version").Output()
	if err != nil || !bytes.HasPrefix(version, []byte("Tor version 0.4.9.11.")) {
		t.Skip("no tor 0.4.9.11")
	}
	cmd := exec.Command("tor", args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	stdout, err := cmd.Output()
	return string(stdout), err == nil
}

func TestListOptionsAsCTor(t *testing.T) {
	want, _ := ctor(t, "--list-torrc-options")
	var got strings.Builder
	for o := range config.Options() {
		if o.Part != "Tropea" {
			got.WriteString(o.Name + "\n")
		}
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestListDeprecatedAsCTor(t *testing.T) {
	want, _ := ctor(t, "--list-deprecated-options", "--hush")
	var got strings.Builder
	for _, d := range config.Deprecated {
		got.WriteString(d.Name + "\n")
	}
	if !strings.HasSuffix(want, got.String()) {
		t.Errorf("got %s, want %s", got.String(), want)
	}
}

func TestHashPasswordAsCTor(t *testing.T) {
	for _, password := range []string{"foo bar", "", strings.Repeat("long", 50)} {
		out, _ := ctor(t, "--hush", "--hash-password", password)
		want := regexp.MustCompile(`16:[0-9A-F]{58}`).FindString(out)
		if want == "" {
			t.Fatalf("tor printed %q", out)
		}
		var salt [8]byte
		hex.Decode(salt[:], []byte(want[3:19]))
		if got := config.HashControlPassword(password, salt); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A dumpCase is a torrc, and whether C tor refuses it.
type dumpCase struct {
	name, torrc string
	full        bool
	bad         bool
}

// What C tor makes of these files, we make of them.
func TestDumpAsCTor(t *testing.T) {
	compareDumps(t, []dumpCase{
		{name: "nothing, in full", full: true},
		{name: "test network", torrc: "TestingTorNetwork 1\nDirAuthority a orport=5000 v3ident=F533C81CEF0BC0267857C99B2F471ADF249FA232 127.0.0.1:7000 1A25C6358DB91342AA51720A5038B72742732498"},
		{name: "units", torrc: "BandwidthRate 1.5 MB\nBandwidthBurst 80 mbits\nMaxCircuitDirtiness 5 minute\nLogTimeGranularity 250 msec\nPerConnBWRate 8 kbit"},
		{name: "lists", torrc: "AutomapHostsSuffixes .onion , ,.x\nExcludeNodes $0123456789012345678901234567890123456789=foo, foo ,1.2.3.0/24,*:80\nLongLivedPorts 1,2 , 3\nNodeFamily a,b\nNodeFamily c , d"},
		{name: "empty values", torrc: "SocksTimeout\nContactInfo\nNumCPUs\nUseMicrodescriptors\nWarnPlaintextPorts\nSocksPort\nExcludeNodes"},
		{name: "aliases and abbreviations", torrc: "LongLivedPort 1\nstrictnode 1\nBandwidthRateBytes 100000\nMaxMemInQ 256 MB\nfetchdirinfoearl 1\n"},
		{name: "floats", torrc: "PathsNeededToBuildCircuits 1e0\nCircuitPriorityHalflife 2.5e1\nKISTSockBufSizeFactor .5"},
		{name: "quotes", torrc: `ContactInfo "a \"b\" # \x41\ttab ` + "\u00e4\"\nNickname \"x\" # y\nSyslogIdentityTag a\\b\"c"},
		{name: "continued", torrc: "ExitPolicy reject *:25, \\\n# comment\n accept *:80, \\\n accept *:81\n"},
		{name: "ports", torrc: "SocksPort 9050 IsolateDestAddr NoIPv6Traffic SessionGroup=3\nSocksPort unix:/run/x GroupWritable\n__SocksPort 9051"},
		{name: "append in one file", torrc: "SocksPort 1\n+SocksPort 2\n/ContactInfo\n/SocksPort\nSocksPort 3"},
		{name: "too low", torrc: "MaxCircuitDirtiness 1\nCircuitStreamTimeout 1\nHeartbeatPeriod 1 minute\nPathsNeededToBuildCircuits 0.1"},
		{name: "log", torrc: "Log notice-err file /tmp/x y\nLog [ *,~net ] info-err [net]debug stderr\nLog warn"},
		{name: "obsolete", torrc: "Tor2webMode 1\nHidServAuth a b\nSocksPort 1"},
		{name: "used twice", torrc: "Nickname a\nNickname b"},
		{name: "virtual network", torrc: "VirtualAddrNetwork 10.0.0.0/16\nVirtualAddrNetworkIPv6 [fc00::]/7"},

		{name: "unknown option", torrc: "SockPort 9050", bad: true},
		{name: "unknown unit", torrc: "BandwidthRate 1.5 XB", bad: true},
		{name: "bad boolean", torrc: "SafeSocks yes", bad: true},
		{name: "bad automatic boolean", torrc: "ConnectionPadding 2", bad: true},
		{name: "bad number", torrc: "NumCPUs -1", bad: true},
		{name: "too long", torrc: "SocksTimeout 1000 months", bad: true},
		{name: "bad set", torrc: "EntryNodes foo bar", bad: true},
		{name: "sets that add up", torrc: "EntryNodes a,b\nExcludeNodes d\nEntryNodes\nEntryNodes c\n"},
		{name: "bad float", torrc: "PathsNeededToBuildCircuits a", bad: true},
		{name: "bad log", torrc: "Log foo stdout", bad: true},
		{name: "bad port", torrc: "SocksPort 99999", bad: true},
		{name: "port on and off", torrc: "SocksPort 9050\nSocksPort 0", bad: true},
		{name: "no isolation and keep alive", torrc: "SocksPort 9050 NoIsolateSOCKSAuth KeepAliveIsolateSOCKSAuth", bad: true},
		{name: "nothing allowed", torrc: "SocksPort 9050 NoIPv4Traffic NoIPv6Traffic NoOnionTraffic NoDNSRequest", bad: true},
		{name: "writable TCP", torrc: "SocksPort 9050 GroupWritable", bad: true},
		{name: "open quote", torrc: "ContactInfo \"a", bad: true},
		{name: "virtual option", torrc: "SocksPortLines 9050", bad: true},
		{name: "test network without authorities", torrc: "TestingTorNetwork 1", bad: true},
		{name: "testing option", torrc: "TestingV3AuthInitialVoteDelay 5 seconds", bad: true},
		{name: "private answers", torrc: "ClientDNSRejectInternalAddresses 0", bad: true},
		{name: "too many circuits", torrc: "MaxClientCircuitsPending 1025", bad: true},
		{name: "no circuits", torrc: "MaxClientCircuitsPending 0", bad: true},
		{name: "burst below rate", torrc: "BandwidthBurst 1 MB", bad: true},
		{name: "port list", torrc: "LongLivedPorts 0", bad: true},
		{name: "safe logging", torrc: "SafeLogging maybe", bad: true},
		{name: "conflux", torrc: "ConfluxClientUX Latency", bad: true},
		{name: "entry nodes without guards", torrc: "EntryNodes a\nUseEntryGuards 0", bad: true},
		{name: "dormant too soon", torrc: "DormantClientTimeout 9 minutes", bad: true},
		{name: "two kinds of authorities", torrc: "DirAuthority 127.0.0.1:7000 1A25C6358DB91342AA51720A5038B72742732498\nAlternateDirAuthority 127.0.0.1:7000 1A25C6358DB91342AA51720A5038B72742732498", bad: true},
		{name: "bad authority", torrc: "DirAuthority x", bad: true},
		{name: "bad fallback", torrc: "FallbackDir 127.0.0.1 id=1A25C6358DB91342AA51720A5038B72742732498", bad: true},
		{name: "bad password", torrc: "HashedControlPassword x", bad: true},
		{name: "network too small", torrc: "VirtualAddrNetworkIPv4 10.0.0.0/24", bad: true},
		{name: "scheduler", torrc: "Schedulers foo", bad: true},
		{name: "missing include", torrc: "%include /nonexistent", bad: true},
	})
}

func compareDumps(t *testing.T, cases []dumpCase) {
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file, empty := filepath.Join(dir, "torrc"), filepath.Join(dir, "defaults")
			for path, text := range map[string]string{file: tt.torrc, empty: ""} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			how := "short"
			if tt.full {
				how = "full"
			}
			args := []string{"-f", file, "--defaults-torrc", empty, "--dump-config", how}
			want, wantOK := ctor(t, args...)
			if wantOK == tt.bad {
				t.Fatalf("C tor: ok %v, want %v", wantOK, !tt.bad)
			}
			cmd, err := config.ParseCommandLine(args)
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(cmd, config.System())
			if (err == nil) != wantOK {
				t.Fatalf("got error %v, C tor: ok %v", err, wantOK)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(want, string(c.Dump(tt.full))); diff != "" {
				t.Error(diff)
			}
		})
	}
}
