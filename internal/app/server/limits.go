package server

import (
	"context"
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/memacct"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/role/accounting"
	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/role/stats"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// newMemory makes what bounds the memory in queues.
func (s *Server) newMemory() *memacct.Account {
	return memacct.New(memacct.Config{
		Log: s.log, Max: s.cfg.MaxMemory,
		Evict:    circuit.Evictor(s.log, func() []*link.Link { return s.links.Links() }),
		Overload: func() { s.stats.Overloaded(stats.General, s.cfg.Env.Now()) },
	})
}

// holdNames lets the account count and cut the cache of names.
func holdNames(m *memacct.Account, r *resolver.Resolver) {
	m.Register(memacct.Holder{
		Name:   "names",
		Memory: func() int64 { _, bytes := r.Memory(); return int64(bytes) },
		Shrink: func(bytes int64) int64 { return int64(r.Shrink(int(bytes))) },
	})
}

// newAccount continues the accounting of the state file.
func (s *Server) newAccount() *accounting.Account {
	cfg := s.cfg.Accounting
	cfg.Identity = s.keys.current().Fingerprint()
	cfg.Log = func(l accounting.Level, text string) {
		level := [...]func(){
			func() { s.log.Info(text) },
			func() { s.log.Log(context.Background(), safelog.LevelNotice, text) },
			func() { s.log.Warn(text) },
		}
		level[l]()
	}
	var a *accounting.Account
	s.cfg.State.Read(func(d *statedoc.Document) { a = accounting.New(cfg, d, s.cfg.Env.Now()) })
	return a
}

// hibernate does what accounting asks for. The goroutine of count owns the account.
func (s *Server) hibernate(now time.Time) {
	state := s.account.Update(now)
	if s.account.SaveDue(now) {
		s.saveCounts()
	}
	if state == s.awake {
		return
	}
	s.awake = state
	s.stopping.Store(!state.TakesNew())
	s.publisher.Hibernate(s.stopping.Load())
	s.log.Log(context.Background(), safelog.LevelNotice, fmt.Sprintf("Accounting: the relay is %v now.", state))
	s.gate.shut.Store(!state.Carries())
	if !state.Carries() {
		for _, l := range s.links.Links() {
			l.Close(errDormant)
		}
	}
}

// setLimits takes over the limits of the operator and of the consensus, whose parameters are for who has set none.
func (s *Server) setLimits(p params.List) {
	l := *s.limits.Load()
	if l.PerConnRate == 0 {
		l.PerConnRate = int64(p.Of(params.PerConnRate))
	}
	if l.PerConnBurst == 0 {
		l.PerConnBurst = int64(p.Of(params.PerConnBurst))
	}
	s.links.SetLimits(l)
}
