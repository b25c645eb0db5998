package server

import (
	"cmp"
	"context"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/role/exit"
	"github.com/tropea-net/tropea/internal/role/publish"
	"github.com/tropea-net/tropea/internal/role/stats"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

const (
	countInterval = time.Second      // between two looks at how much has gone through
	saveInterval  = 10 * time.Minute // of what is counted, into the state file; C tor saves every two hours
)

// counts is how far the counters of the links had come when they were last looked at.
type counts struct {
	v4, v6        link.Traffic
	read, written link.Cells
	rend          uint64    // cells on circuits that meet here
	waits         [2]uint64 // for the limits of reading and writing
	links         map[*link.Link]link.Traffic
}

// newStats continues the statistics of the state file.
func (s *Server) newStats() *stats.Stats {
	var st *stats.Stats
	s.cfg.State.Read(func(d *statedoc.Document) { st = stats.New(s.cfg.Stats, d, s.cfg.Env.Now()) })
	return st
}

// count feeds statistics and accounting with what goes through, until ctx ends.
func (s *Server) count(ctx context.Context) {
	c := counts{links: map[*link.Link]link.Traffic{}}
	tick := time.NewTicker(cmp.Or(s.cfg.CountInterval, countInterval))
	defer tick.Stop()
	now := s.cfg.Env.Now()
	links, saved, beat, day := now, now, now, s.stats.Tick(now)
	for {
		select {
		case <-ctx.Done():
			s.saveCounts()
			return
		case <-tick.C:
		}
		now = s.cfg.Env.Now()
		s.countBytes(&c, now)
		if now.Sub(links) >= stats.LinkInterval {
			links = now
			s.countLinks(&c)
		}
		if !day.IsZero() && !now.Before(day) {
			day = s.stats.Tick(now)
		}
		if now.Sub(saved) >= saveInterval {
			saved = now
			s.saveCounts()
		}
		if period := time.Duration(s.period.Load()); period > 0 && now.Sub(beat) >= period {
			beat = now
			s.heartbeat(now)
		}
		s.hibernate(now)
	}
}

// countBytes counts what has gone through all links since the last time.
func (s *Server) countBytes(c *counts, now time.Time) {
	v4, v6 := s.links.Bytes()
	for _, x := range []struct {
		now, old link.Traffic
		v6       bool
	}{{v4, c.v4, false}, {v6, c.v6, true}} {
		s.stats.AddRead(x.now.Read-x.old.Read, x.v6, now)
		s.stats.AddWritten(x.now.Written-x.old.Written, x.v6, now)
	}
	s.account.Add(v4.Read+v6.Read-c.v4.Read-c.v6.Read, v4.Written+v6.Written-c.v4.Written-c.v6.Written, now)
	c.v4, c.v6 = v4, v6
	readWaits, writeWaits := s.links.Waits()
	if readWaits > c.waits[0] {
		s.stats.Overloaded(stats.ReadLimit, now)
	}
	if writeWaits > c.waits[1] {
		s.stats.Overloaded(stats.WriteLimit, now)
	}
	c.waits = [2]uint64{readWaits, writeWaits}
	read, written := s.links.Cells()
	s.stats.AddCells(cellsSince(read, c.read), cellsSince(written, c.written))
	c.read, c.written = read, written
	rend := s.ends.rend.Cells()
	s.stats.RendCells(rend - c.rend)
	c.rend = rend
}

// countLinks counts what each link has carried since the last time.
func (s *Server) countLinks(c *counts) {
	if !s.cfg.Stats.Links {
		return
	}
	next := make(map[*link.Link]link.Traffic, len(c.links))
	for _, l := range s.links.Links() {
		b, old := l.Bytes(), c.links[l]
		s.stats.LinkBytes(b.Read-old.Read, b.Written-old.Written, l.Peer().Addr.Addr().Is6())
		next[l] = b
	}
	c.links = next
}

func cellsSince(now, old link.Cells) stats.Cells {
	return stats.Cells{
		Total: now.Total - old.Total, Padding: now.Padding - old.Padding, Drop: now.Drop - old.Drop,
		PaddedTotal: now.EnabledTotal - old.EnabledTotal, PaddedPadding: now.EnabledPadding - old.EnabledPadding,
	}
}

// saveCounts writes what is to survive a restart into the state file.
func (s *Server) saveCounts() {
	now := s.cfg.Env.Now()
	s.cfg.State.Change(func(d *statedoc.Document) {
		s.stats.Save(d, now)
		s.account.Save(d, now)
	})
}

// noteCircuit counts a circuit that is over.
func (s *Server) noteCircuit(c *circuit.RelayCircuit) {
	if !s.cfg.Stats.Cells {
		return
	}
	var sum stats.Circuit
	sum.Began, sum.Cells, sum.Waited = c.CellStats()
	s.stats.CircuitClosed(sum, s.cfg.Env.Now())
}

// noteStream counts a stream of the exit.
func (s *Server) noteStream(e exit.Event) {
	switch e.Kind {
	case exit.Connected:
		s.stats.ExitStream(e.Port)
	case exit.Closed:
		s.stats.ExitBytes(e.Port, uint64(e.Read), uint64(e.Written))
	}
}

// extraInfo makes the extra-info document of the moment.
func (s *Server) extraInfo(nickname string, now time.Time) (*publish.ExtraInfo, error) {
	k := s.keys.current()
	doc, err := extrainfo.Make(nickname, now, &extrainfo.Keys{Identity: k.RSA().Key(), Signing: k.Signing(), SigningCert: k.SigningCert()}, s.stats.ExtraInfo(now))
	if err != nil {
		return nil, err
	}
	return &publish.ExtraInfo{Text: doc.Text, Digest: doc.Digest, SHA256: doc.Digest256}, nil
}
