package hsservice

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/crypt/hsntor"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A point is an introduction point. Its circuit may be lost and made anew, with the same keys, so that what clients know stays
// true.
//
//	building ⇄ established → retiring → (gone)
type point struct {
	auth    *keyfile.EdSecret
	keys    hsntor.Point
	replays replays
	left    atomic.Int64 // introductions until it is replaced

	// The owner has the fields below.
	relay    *netdir.Relay
	circ     Circuit // nil unless established
	building bool
	failures int // circuits that came to nothing, since one did not
	retry    time.Time
	expires  time.Time
	close    time.Time // when a retiring one goes; zero for others
	listed   bool      // the last descriptor has it
}

const (
	maxFailures  = 3 // of one introduction point
	faltering    = 2 // failures after which others are made ready to take its place
	failedMemory = 5 * time.Minute
	firstRetry   = time.Second
	lingerTime   = 2 * time.Minute // of a retiring one, for clients with the descriptor before
)

// newPoint makes the keys of an introduction point.
func (s *Service) newPoint(relay *netdir.Relay, list params.List, now time.Time) (*point, error) {
	enc, err := x25519.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	auth := keyfile.GenerateEd()
	p := &point{relay: relay, auth: auth, keys: hsntor.Point{AuthKey: auth.ID(), Enc: enc}}
	between := func(low, high params.Param) int64 {
		a, b := int64(list.Of(low)), int64(list.Of(high))
		return a + s.cfg.Rand.Int64N(max(b-a, 0)+1)
	}
	p.expires = now.Add(time.Duration(between(params.HSIntroMinLifetime, params.HSIntroMaxLifetime)) * time.Second)
	p.left.Store(max(between(params.HSIntroMinIntroduce2, params.HSIntroMaxIntroduce2), 1))
	return p, nil
}

// retiring tells whether another one is to take its place.
func (p *point) retiring(now time.Time) bool { return !now.Before(p.expires) || p.left.Load() <= 0 }

// falters tells whether it has lost its circuit, and may not get another one: its relay may be gone.
func (p *point) falters() bool { return p.circ == nil && p.failures >= faltering }

// keepPoints closes what is done for, chooses what is missing, and builds circuits. It returns when to look again.
func (s *Service) keepPoints(v *netdir.View, now time.Time) time.Duration {
	list := v.Consensus().Params
	s.points = slices.DeleteFunc(s.points, func(p *point) bool { return s.pointGone(v, p, now) })
	live := s.live(now)
	want := s.set.points()
	missing := want
	for _, p := range live {
		if !p.falters() {
			missing--
		}
	}
	missing = min(missing, 2*want-len(live)) // those that falter may come back, or not
	if len(live) == 0 {
		missing += int(list.Of(params.HSIntroNumExtra)) // the first ones to be there stay
	}
	s.noRelay = nil
	for range max(missing, 0) {
		relay, err := s.cfg.Select.Introduction(v, pathsel.Need{Stable: true, Avoid: s.avoid(now)}, s.cfg.Rand)
		if err != nil {
			s.noRelay = err
			break
		}
		p, err := s.newPoint(relay, list, now)
		if err != nil {
			s.noRelay = err
			break
		}
		s.points = append(s.points, p)
	}
	s.trimPoints(want, now)
	next := time.Hour
	for _, p := range s.points {
		switch {
		case !p.close.IsZero():
			next = min(next, p.close.Sub(now))
		case p.retiring(now): // until others are there
		case p.circ != nil || p.building:
			next = min(next, p.expires.Sub(now))
		case p.retry.After(now):
			next = min(next, p.retry.Sub(now))
		case s.mayLaunch(now):
			s.launch(p, s.set.IntroLimits)
		default:
			next = min(next, s.period.Add(launchPeriod).Sub(now))
		}
	}
	return max(next, time.Millisecond)
}

// live returns those that are to stay.
func (s *Service) live(now time.Time) (live []*point) {
	for _, p := range s.points {
		if !p.retiring(now) {
			live = append(live, p)
		}
	}
	return live
}

// established counts those that clients can use.
func established(points []*point) (n int) {
	for _, p := range points {
		if p.circ != nil {
			n++
		}
	}
	return n
}

// pointGone closes an introduction point that is of no more use, and tells so.
func (s *Service) pointGone(v *netdir.View, p *point, now time.Time) bool {
	relay := v.ByRSA(p.relay.RSA)
	if relay != nil && relay.Usable() {
		p.relay = relay
	}
	switch {
	// Not Usable: after each consensus some microdescriptors are still to come.
	case relay == nil || !relay.Listed(), p.failures > maxFailures:
		s.failed[p.relay.RSA] = now
	case !p.close.IsZero() && !now.Before(p.close), p.retiring(now) && p.circ == nil && !p.building:
	default:
		return false
	}
	p.shut()
	return true
}

// shut closes the circuit, if there is one.
func (p *point) shut() {
	if p.circ != nil {
		p.circ.Close()
		p.circ = nil
	}
}

// trimPoints lets those go that are too many: the ones that came last, and those that are retiring, a while after others are
// there.
func (s *Service) trimPoints(want int, now time.Time) {
	live := s.live(now)
	if established(live) < want {
		return
	}
	have := 0
	s.points = slices.DeleteFunc(s.points, func(p *point) bool {
		if p.retiring(now) {
			if p.close.IsZero() {
				p.close = now.Add(lingerTime)
			}
			return false
		}
		if p.circ != nil && have < want {
			have++
			return false
		}
		p.shut()
		return true
	})
}

// avoid is the relays that are introduction points already, or have failed as such.
func (s *Service) avoid(now time.Time) (list []*netdir.Relay) {
	for _, p := range s.points {
		list = append(list, p.relay)
	}
	for id, since := range s.failed {
		if now.Sub(since) >= failedMemory {
			delete(s.failed, id)
			continue
		}
		list = append(list, &netdir.Relay{RSA: id})
	}
	return list
}

// launchPeriod bounds the circuits to introduction points: no more than so many in it.
const launchPeriod = 5 * time.Minute

// mayLaunch counts a circuit, if there may be another one: relays that let them fail must not make us build them without end.
func (s *Service) mayLaunch(now time.Time) bool {
	if now.Sub(s.period) >= launchPeriod {
		s.period, s.launched = now, 0
	}
	want := s.set.points()
	if s.launched >= 2*(want+int(params.HSIntroNumExtra.Default)+want*maxFailures) {
		return false
	}
	s.launched++
	return true
}

// launch makes p's circuit.
func (s *Service) launch(p *point, limits circext.IntroDoS) {
	p.building = true
	ctx, relay := s.ctx, p.relay
	safego.Go(&s.wg, s.log, "introduction point", func() {
		var c Circuit
		err := errPanic
		safego.Run(s.log, "introduction point", func() { c, err = s.establish(ctx, p, relay, limits) })
		if !s.do(func(now time.Time) { s.launchDone(p, c, err, now) }) && c != nil {
			c.Close()
		}
	})
}

// launchDone takes in a circuit, or why there is none.
func (s *Service) launchDone(p *point, c Circuit, err error, now time.Time) {
	p.building = false
	if !slices.Contains(s.points, p) {
		if c != nil {
			c.Close()
		}
		return
	}
	if err != nil {
		p.failures++
		p.retry = now.Add(firstRetry << min(p.failures-1, 4))
		s.lastErr = err
		s.log.Debug("introduction point failed", "service", s.name(), "relay", safelog.Of(p.relay.Nickname), "err", err)
		return
	}
	p.circ, p.failures = c, 0
	s.log.Debug("introduction point established", "service", s.name(), "relay", safelog.Of(p.relay.Nickname))
	safego.Go(&s.wg, s.log, "introduction circuit", func() {
		<-c.Done()
		s.do(func(now time.Time) { s.pointLost(p, c, now) })
	})
}

// pointLost takes note that a circuit has ended: it is made anew at once, since clients know the keys.
func (s *Service) pointLost(p *point, c Circuit, _ time.Time) {
	if p.circ != c {
		return
	}
	s.log.Debug("introduction circuit closed", "service", s.name(), "err", c.Err())
	s.lastErr = c.Err()
	p.circ = nil
}

var (
	errPanic       = errors.New("a panic was contained")
	errNoAnswer    = errors.New("introduction point does not answer")
	errEarly       = errors.New("INTRO_ESTABLISHED before ESTABLISH_INTRO")
	errTwice       = errors.New("INTRO_ESTABLISHED comes again")
	errIntroEarly  = errors.New("INTRODUCE2 before INTRO_ESTABLISHED")
	errUnsolicited = errors.New("message that no introduction point has for a service")
)

// establish builds a circuit and makes its end an introduction point. What comes for the service goes to the workers from then on.
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
func (s *Service) establish(ctx context.Context, p *point, relay *netdir.Relay, limits circext.IntroDoS) (_ Circuit, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, establishTime, errNoAnswer)
	defer cancel()
	c, err := s.circuit(ctx, HopTo(relay), s.cfg.Direct)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if !relay.Protocols.Supports(protover.HSIntro, 5) {
		limits = circext.IntroDoS{}
	}
	body, err := p.request(c.KH(), limits)
	if err != nil {
		return nil, err
	}
	there := make(chan struct{})
	var mu sync.Mutex // guards asked; before the circuit's own mutexes
	asked := false    // ESTABLISH_INTRO has gone out
	open := false     // the reader of the link alone uses it
	c.OnMessage(func(m relaymsg.Msg) error {
		mu.Lock()
		early := !asked
		mu.Unlock()
		switch {
		case m.Cmd == relaymsg.CmdIntroEstablished && early:
			return errEarly
		case m.Cmd == relaymsg.CmdIntroEstablished && open:
			return errTwice
		case m.Cmd == relaymsg.CmdIntroEstablished:
			if _, err := relaymsg.ParseIntroEstablished(m.Body); err != nil {
				return err
			}
			open = true
			close(there)
			return nil
		case m.Cmd == relaymsg.CmdIntroduce2 && !open:
			return errIntroEarly
		case m.Cmd == relaymsg.CmdIntroduce2:
			s.introduced(p, m.Body)
			return nil
		}
		return fmt.Errorf("%v: %w", m.Cmd, errUnsolicited)
	})
	mu.Lock() // an answer waits until it is known that it is one
	err = c.Send(relaymsg.Msg{Cmd: relaymsg.CmdEstablishIntro, Body: body})
	asked = err == nil
	mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case <-there:
		return c, nil
	case <-c.Done():
		return nil, c.Err()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// request makes the body of ESTABLISH_INTRO for a circuit.
func (p *point) request(kh [20]byte, limits circext.IntroDoS) ([]byte, error) {
	m := relaymsg.EstablishIntro{AuthKey: p.keys.AuthKey}
	if limits != (circext.IntroDoS{}) {
		m.Exts = circext.List{limits.Extension()}
	}
	covered, err := m.AppendMACed(nil)
	if err != nil {
		return nil, err
	}
	m.MAC = relaymsg.EstablishIntroMAC(kh, covered)
	signed, err := m.AppendSigned([]byte(relaymsg.EstablishIntroPrefix))
	if err != nil {
		return nil, err
	}
	sig, err := p.auth.Sign(rand.Reader, signed, crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	m.Sig = [64]byte(sig)
	return m.AppendTo(nil)
}

// circuit is Network.Circuit; should a direct one fail, there may be a way by other relays, as C tor tries it.
func (s *Service) circuit(ctx context.Context, h circuit.Hop, direct bool) (Circuit, error) {
	if direct {
		if c, err := s.cfg.Net.Circuit(ctx, h, Direct); err == nil || ctx.Err() != nil {
			return c, err
		}
	}
	return s.cfg.Net.Circuit(ctx, h, ToOwn)
}

// HopTo is a relay as the end of a circuit on which no DATA goes to it.
func HopTo(r *netdir.Relay) circuit.Hop {
	return circuit.Hop{
		RSA: r.RSA, Ed: r.Ed, HasEd: r.HasEd, NTor: r.NTor,
		V3: r.Protocols.Supports(protover.Relay, 4), Addrs: r.Addrs(),
	}
}
