package server

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/accounting"
)

// A book is a log to look into while others write.
type book struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestHeartbeat(t *testing.T) {
	log := new(book)
	b := newBed(t, func(c *Config) {
		c.Env.Log, c.Heartbeat = slog.New(slog.NewTextHandler(log, nil)), time.Second
		c.Accounting = accounting.Config{Max: 1 << 40}
	})
	b.wantHonest("192.0.2.2")
	want := []string{"Tor's uptime is 0:00 hours, with ", " 1 links were made by others, and 0 by this relay", "Accounting enabled.", "DoS mitigation"}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		missing := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return strings.Contains(log.String(), s) })
		if len(missing) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q are not in %s", missing, log)
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
