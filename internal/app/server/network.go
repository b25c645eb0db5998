package server

import (
	"context"
	"time"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/client/dirsync"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/padding"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// SetClient says which client fetches documents and builds circuits for the relay from now on. Nil is none.
func (s *Server) SetClient(c *client.Client) {
	s.client.Store(c)
	if a := s.authority; a != nil && c != nil {
		a.started.Do(func() { close(a.client) })
	}
	select {
	case s.newClient <- struct{}{}:
	default:
	}
}

// Mirror is what the client is to fetch for others; nil if the relay serves no documents.
func (s *Server) Mirror() *dirsync.Mirror {
	if s.cache == nil {
		return nil
	}
	if a := s.authority; a != nil && a.bridges != nil {
		return &dirsync.Mirror{Sink: bridgeSink{s.cache, a.relays}, ExtraInfo: s.cfg.ExtraInfo, Stored: true}
	}
	return &dirsync.Mirror{Sink: s.cache, ExtraInfo: s.cfg.ExtraInfo}
}

// FromAuthorities tells whether the client is to ask authorities for documents: a relay does that publishes itself and
// serves them, or needs to know all relays since it refuses unknown exits; and one that does not know its address, which
// they can tell (dirclient_fetches_from_authorities in C tor).
func (s *Server) FromAuthorities() bool {
	d := s.publisher.Current()
	return d == nil || s.publishes.Load() && (s.cache != nil || s.ends.refusesUnknown())
}

// View returns the network as the relay knows it, nil if it does not yet.
func (s *Server) View() *netdir.View {
	if c := s.client.Load(); c != nil {
		return c.View()
	}
	return nil
}

// known tells whether an RSA identity is of a relay in the consensus.
func (s *Server) known(rsa [20]byte) bool {
	v := s.View()
	return v != nil && v.ByRSA(rsa) != nil
}

// follow does what the consensus says, until ctx ends.
func (s *Server) follow(ctx context.Context) error {
	for {
		var changed <-chan struct{}
		if c := s.client.Load(); c != nil {
			changed = c.Changed()
		}
		if v := s.View(); v != nil {
			if err := s.shutOut(v.Consensus()); err != nil {
				return err
			}
			s.apply(v)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		case <-s.newClient:
		}
	}
}

// shutOut tells whether a consensus has no place for relays of this version.
func (s *Server) shutOut(c *consensus.Consensus) error {
	own := protover.MustParse(s.info(s.cfg).Protocols)
	return dirsync.ShutOut(c.ValidAfter, "relays", &own, &c.RequiredRelay)
}

// queueParams are those of a consensus, unless the operator knows better.
func (s *Server) queueParams(p params.List) link.QueueParams {
	q := link.ReadQueueParams(p)
	if s.cfg.HalfLife > 0 {
		q.HalfLife = s.cfg.HalfLife
	}
	return q
}

// delay is how long a handshake may wait.
func (s *Server) delay(p params.List) time.Duration {
	if s.cfg.QueueDelay > 0 {
		return s.cfg.QueueDelay
	}
	return time.Duration(p.Of(params.MaxOnionQueueDelay)) * time.Millisecond
}

// apply takes over the parameters of a consensus.
func (s *Server) apply(v *netdir.View) {
	p := v.Consensus().Params
	s.dos.SetParams(p)
	s.stats.SetParams(p)
	if s.hsdir != nil {
		s.hsdir.SetParams(p)
	}
	s.links.SetQueues(s.queueParams(p))
	s.setLimits(p)
	s.queueDelay.Store(int64(s.delay(p)))
	s.ends.apply(v)
	s.sendmeMin.Store(uint32(p.Of(params.SendmeAcceptMinVersion)))
	s.relay.Padder().SetParams(padding.ReadParams(p))
	s.cc.Store(congestion.ReadParams(p, congestion.ExitPath))
	days := func(x params.Param) time.Duration { return time.Duration(p.Of(x)) * 24 * time.Hour }
	s.publisher.Check()
	s.keys.do(func() {
		s.keys.ring.SetOnionLifetimes(days(params.OnionKeyRotation), days(params.OnionKeyGrace))
		s.keys.publish()
	})
}
