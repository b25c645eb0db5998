package main

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// The name counts as the verb, with and without what Windows adds.
func TestCalledAs(t *testing.T) {
	for _, name := range []string{"/usr/bin/tor-gencert", "tor-gencert.exe"} {
		var stdout, stderr strings.Builder
		code := run(t.Context(), []string{name, "--help"}, strings.NewReader(""), &stdout, &stderr)
		if code != 1 || stderr.String() != gencertUsage || stdout.Len() != 0 {
			t.Errorf("%s: code %d, %q, %q", name, code, stdout.String(), stderr.String())
		}
	}
}

func TestGencertAddress(t *testing.T) {
	tool := certTool{lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
		if host != "authority.example" {
			t.Errorf("asked for %s", host)
		}
		return []netip.Addr{netip.MustParseAddr("192.0.2.7")}, nil
	}}
	for arg, want := range map[string]string{
		"authority.example:80": "192.0.2.7:80", "192.0.2.1:1": "192.0.2.1:1", "192.0.2.1:0": "", "authority.example:x": "", "192.0.2.1": "",
		"[2001:db8::1]:80": "",
	} {
		got, err := tool.resolve(t.Context(), arg)
		if err == nil != (want != "") || err == nil && got.String() != want {
			t.Errorf("%s: got %v, %v, want %q", arg, got, err, want)
		}
	}
}

func TestGencertMonths(t *testing.T) {
	identity, err := keyfile.GenerateRSA(1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		now    string
		months int
		want   string
	}{
		{"2026-08-20 12:00:00", 12, "2027-08-20 12:00:00"},
		{"2026-01-31 12:00:00", 1, "2026-03-03 12:00:00"},
		{"2026-12-01 00:00:00", 0, "2026-12-01 00:00:00"},
	} {
		now, err := time.ParseInLocation(time.DateTime, tt.now, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		tool := certTool{now: now, months: tt.months}
		text, err := tool.certify(identity.Key(), identity.Key())
		if err != nil {
			t.Fatal(err)
		}
		c, err := authcert.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Expires.Local().Format(time.DateTime); got != tt.want || !c.Published.Equal(now) {
			t.Errorf("%s and %d months: got %s, want %s", tt.now, tt.months, got, tt.want)
		}
	}
}
