package dirauth

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/dirauth/flags"
	"github.com/tropea-net/tropea/internal/role/dirauth/history"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

const (
	stabilityFile = "router-stability"
	saveMemory    = 10 * time.Minute // SAVE_STABILITY_INTERVAL in C tor
)

// Memory is the history of relays, with its file. Its methods are safe for concurrent use.
type Memory struct {
	log   *slog.Logger
	files statefile.Store
	now   func() time.Time
	live  func() *consensus.Consensus
	test  bool // a test network

	mu   sync.Mutex // a leaf; guards hist
	hist *history.History
}

// OpenMemory reads the history.
func OpenMemory(log *slog.Logger, files statefile.Store, now func() time.Time, live func() *consensus.Consensus, test bool) *Memory {
	m := &Memory{log: log, files: files, now: now, live: live, test: test, hist: history.New()}
	text, err := files.Read(stabilityFile)
	if err == nil {
		var warnings []error
		if m.hist, warnings, err = history.Parse(text, now()); err != nil {
			log.Warn("The history of relays is lost", "file", stabilityFile, "err", err)
		}
		for _, w := range warnings {
			log.Warn("A line of the history of relays is left out", "file", stabilityFile, "err", w)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		log.Warn("The history of relays cannot be read", "file", stabilityFile, "err", err)
	}
	return m
}

// Reached notes that a relay was reached.
func (m *Memory) Reached(id [20]byte, at netip.AddrPort, now time.Time) {
	penalty := history.Penalty
	if m.test {
		penalty = history.TestingPenalty
	}
	if c := m.live(); c != nil {
		penalty = c.FreshUntil.Sub(c.ValidAfter)/2 + c.ValidUntil.Sub(c.ValidAfter)/4
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hist.Reachable(id, at, penalty, now)
}

// decide makes up an opinion on relays.
func (m *Memory) decide(cfg *flags.Config, relays []flags.Relay, now time.Time) flags.Vote {
	m.mu.Lock()
	defer m.mu.Unlock()
	return flags.Decide(cfg, relays, m.hist, now)
}

// decideBridges makes up an opinion on bridges.
func (m *Memory) decideBridges(cfg *flags.Config, bridges []flags.Relay, now time.Time) flags.Vote {
	m.mu.Lock()
	defer m.mu.Unlock()
	return flags.Bridges(cfg, bridges, m.hist, now)
}

// Run saves the history now and then, and at the end.
func (m *Memory) Run(ctx context.Context, known func(id [20]byte) bool) {
	tick := time.NewTicker(saveMemory)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			m.save()
			return
		case <-tick.C:
		}
		m.mu.Lock()
		now := m.now()
		m.hist.Fade(now)
		m.hist.Retain(known, now)
		m.mu.Unlock()
		m.save()
	}
}

func (m *Memory) save() {
	m.mu.Lock()
	text := m.hist.Append(nil, m.now())
	m.mu.Unlock()
	if err := m.files.WriteWhole(stabilityFile, text); err != nil {
		m.log.Warn("The history of relays cannot be saved", "file", stabilityFile, "err", err)
	}
}
