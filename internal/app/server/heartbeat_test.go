package server

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/accounting"
)

func TestHeartbeat(t *testing.T) {
	var log strings.Builder
	b := newBed(t, func(c *Config) {
		c.Env.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.Accounting = accounting.Config{Max: 1 << 40}
	})
	b.wantHonest("192.0.2.2")
	log.Reset()
	b.server.heartbeat(b.server.started.Add(26*time.Hour + 5*time.Minute))
	for _, want := range []string{"Tor's uptime is 1 day 2:05 hours, with ", " 1 links were made by others, and 0 by this relay", "Accounting enabled.", "DoS mitigation"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in %s", want, &log)
		}
	}
	for d, want := range map[time.Duration]string{-time.Hour: "0:00 hours", 90 * time.Minute: "1:30 hours", 50 * time.Hour: "2 days 2:00 hours"} {
		if got := uptime(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
	for n, want := range map[uint64]string{2048: "2 kB", 3 << 19: "1.50 MB", 5 << 29: "2.50 GB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}
