package accounting

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// TestSwitchWithCTor hands a state file to C tor and takes it back: both must know the same interval, bytes and limits.
func TestSwitchWithCTor(t *testing.T) {
	if testing.Short() {
		t.Skip("runs C tor")
	}
	ctor.Require(t, "tor")
	dir := t.TempDir()
	now := time.Now().Truncate(time.Second)
	hour := (now.Hour() + 12) % 24 // far from now, and from changes of clocks, in every zone that follows
	run(t, dir, "month 1 00:00", "max", nil)
	id := fingerprint(t, dir)
	for _, tc := range []struct {
		name, zone, start, rule string
		cfg                     Config
	}{
		{"month", "Europe/Berlin", "month 17 HH:30", "max", Config{Start: Start{Month, 17, hour, 30}}},
		{"week", "America/New_York", "week 3 HH:05", "sum", Config{Rule: RuleSum, Start: Start{Week, 3, hour, 5}}},
		{"day", "Asia/Kathmandu", "day HH:59", "out", Config{Rule: RuleOut, Start: Start{Day, 0, hour, 59}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("TZ", tc.zone)
			cfg := tc.cfg
			cfg.Max, cfg.Zone, cfg.Identity = 10*gb, zone(t, tc.zone), id
			doc := readState(t, dir)
			for _, key := range []string{keyStart, keyExpected, keyRead, keyWritten, keyActive} {
				doc.Set(key)
			}
			doc.Set(keyExpected, "9 MB")
			start, _ := cfg.Start.interval(now, cfg.Zone)
			doc.SetTime(keyStart, start)
			a := New(cfg, doc, now)
			a.Add(100*mb, 50*mb, now)
			a.Save(doc, now)
			writeState(t, dir, doc)

			hh := now.Add(12 * time.Hour).Format("15")
			got := run(t, dir, strings.ReplaceAll(tc.start, "HH", hh), tc.rule,
				[]string{"interval-start", "interval-wake", "interval-end"})
			start, wake, end := a.Interval()
			if want := []string{utc(start), utc(wake), utc(end)}; !slices.Equal(got, want) {
				t.Errorf("C tor has %q, we have %q", got, want)
			}

			b := New(cfg, readState(t, dir), now)
			// C tor counts the control port's bytes as well, if the network is one for tests.
			read, written := b.Bytes()
			if read < 100*mb || read > 101*mb || written < 50*mb || written > 51*mb {
				t.Errorf("from C tor we get %d and %d bytes", read, written)
			}
			if b.expected != a.expected || !b.start.Equal(a.start) || !b.wake.Equal(a.wake) {
				t.Errorf("from C tor we get %v, %v, %d", b.start, b.wake, b.expected)
			}
		})
	}
}

func utc(t time.Time) string { return t.UTC().Format(statedoc.TimeLayout) }

func readState(t *testing.T, dir string) *statedoc.Document {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(ctor.DataDir(dir), "state"))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

func writeState(t *testing.T, dir string, doc *statedoc.Document) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(ctor.DataDir(dir), "state"), doc.AppendTo(nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

func fingerprint(t *testing.T, dir string) [20]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(ctor.DataDir(dir), "fingerprint"))
	if err != nil {
		t.Fatal(err)
	}
	return identity(t, strings.Fields(string(text))[1])
}

// run runs a relay of C tor that reaches nothing, asks it for accounting/ keys, and stops it, so that it saves its state.
func run(t *testing.T, dir, start, rule string, keys []string) (values []string) {
	t.Helper()
	bin, err := ctor.Find("tor")
	if err != nil {
		t.Fatal(err)
	}
	var torrc ctor.Torrc
	for _, line := range []string{
		"DisableNetwork 1", "ORPort 127.0.0.1:5999", "Address 127.0.0.1", "SocksPort 0", "ExitRelay 0", "Nickname Probe", "ContactInfo nobody",
		"TestingTorNetwork 1", "DirAuthority fake orport=1 v3ident=0000000000000000000000000000000000000001 127.0.0.1:1 0000000000000000000000000000000000000002",
		"ControlPort auto", "CookieAuthentication 1", "AccountingMax 10 GB", "AccountingStart " + start, "AccountingRule " + rule,
	} {
		torrc = append(torrc, line)
	}
	torrc.Add("ControlPortWriteToFile", filepath.Join(dir, "control"))
	p, err := ctor.Start(ctor.Config{Name: "tor", Bin: bin, Dir: dir, Torrc: torrc})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.WaitBootstrap(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if len(keys) > 0 {
		addr, err := os.ReadFile(filepath.Join(dir, "control"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := ctor.DialControl(ctx, strings.TrimSpace(strings.TrimPrefix(string(addr), "PORT=")), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, key := range keys {
			v, err := c.GetInfo("accounting/" + key)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, strings.Join(v, "\n"))
		}
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	return values
}
