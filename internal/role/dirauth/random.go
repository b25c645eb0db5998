package dirauth

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/dirauth/srv"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

const randomFile = "sr-state"

// SharedRandom is our part in the shared random protocol, with its file. Its methods are safe for concurrent use. It is a Random.
type SharedRandom struct {
	log      *slog.Logger
	files    statefile.Store
	now      func() time.Time
	cfg      srv.Config
	interval func() time.Duration // of votes

	mu    sync.Mutex // guards state
	state *srv.State // nil before Begin
}

// NewRandom returns our part in the protocol; it takes none before Begin. The interval is that between votes.
func NewRandom(log *slog.Logger, files statefile.Store, now func() time.Time, cfg srv.Config, interval func() time.Duration) *SharedRandom {
	return &SharedRandom{log: log, files: files, now: now, cfg: cfg, interval: interval}
}

// Begin implements Random: it continues the protocol run of the file. Which run that is depends on the interval, and so on the
// consensus.
func (r *SharedRandom) Begin(validAfter time.Time) {
	interval := r.interval()
	text, err := r.files.Read(randomFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.log.Warn("The shared random state cannot be read", "file", randomFile, "err", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state, err = srv.New(r.cfg, text, r.now(), srv.Round{ValidAfter: validAfter, Interval: interval}, fresh()); err != nil {
		r.log.Warn("The shared random state begins anew", "file", randomFile, "err", err)
	}
}

func fresh() (b [32]byte) {
	rand.Read(b[:])
	return b
}

// Vote implements Random. What it returns is on disk: whoever commits twice is ignored.
func (r *SharedRandom) Vote(validAfter time.Time) *vote.SharedRandom {
	interval := r.interval()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == nil {
		return nil
	}
	r.state.Update(srv.Round{ValidAfter: validAfter, Interval: interval}, fresh())
	if !r.saveLocked() {
		return nil
	}
	return r.state.Vote()
}

// Received implements Random.
func (r *SharedRandom) Received(v *vote.Vote) {
	if v.SharedRandom == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == nil {
		return
	}
	for _, err := range r.state.Receive(v.Cert.Fingerprint, v.SharedRandom.Commits) {
		r.log.Debug("A shared random commit is refused", "nickname", v.Source.Nickname, "err", err)
	}
	r.saveLocked()
}

// Published implements Random.
func (r *SharedRandom) Published(c *consensus.Consensus, next time.Time) {
	interval := r.interval()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == nil {
		return
	}
	r.state.Published(c.PreviousSRV, c.CurrentSRV, srv.Round{ValidAfter: next, Interval: interval}, fresh())
	r.saveLocked()
}

// Agreed implements Random.
func (r *SharedRandom) Agreed(votes []*vote.SharedRandom, authorities, agreements int) (previous, current *consensus.SRV) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == nil {
		return nil, nil
	}
	return r.state.Agreed(votes, authorities, agreements)
}

func (r *SharedRandom) saveLocked() bool {
	if !r.state.Changed() {
		return true
	}
	if err := r.files.WriteWhole(randomFile, r.state.File(r.now())); err != nil {
		r.log.Warn("The shared random state cannot be saved: we take no part in it until it can", "file", randomFile, "err", err)
		return false
	}
	return true
}
