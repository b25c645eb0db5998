package hsclient

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/crypt/hspow"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

const (
	maxMeetings = 6                // times that a service may stay away, or a rendezvous point fail, before a request does
	maxLost     = 12               // ways to introduction points that come to nothing before they are there
	patience    = 30 * time.Second // with a rendezvous point, an introduction point, and a service (MAX_REND_TIMEOUT)
	early       = 8 * time.Second  // after that time another way is tried beside one on which the service has not come
	maxConnect  = 5 * time.Minute  // with all of it; who asks has mostly given up before
)

// connect meets the service of s. It goes on as long as there are introduction points that may lead to it.
func (c *Client) connect(ctx context.Context, s *session) (*circuit.Circuit, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxConnect, errTooLong)
	ctx, met := context.WithCancel(ctx)
	a := attempt{Client: c, s: s, met: met, late: make(chan *rendezvous, maxMeetings)}
	defer a.drop()
	defer cancel()
	defer met()
	circ, err := a.run(ctx)
	if err != nil {
		if r := a.awaitLate(); r != nil {
			return r.circ, nil
		}
	}
	return circ, err
}

// run tries one introduction point after the other.
func (a *attempt) run(ctx context.Context) (*circuit.Circuit, error) {
	c, s := a.Client, a.s
	a.wantRendezvous(ctx) // while the descriptor is looked for
	for {
		d, err := c.usable(ctx, s, a.desc, a.last)
		if err != nil {
			return nil, err
		}
		if a.desc != nil && d.revision != a.desc.revision {
			a.closeIntro() // it may be one of the points before
		}
		a.desc = d
		circ, err := a.meet(ctx)
		if err == nil {
			c.forgetAsked(d.blinded)
			return circ, nil
		}
		if ctx.Err() != nil {
			return nil, cmp.Or(a.last, context.Cause(ctx))
		}
		a.last = err
		c.note(s, err)
		if a.failed >= maxMeetings {
			return nil, because(RendFailed, err)
		}
		if a.lost >= maxLost {
			return nil, err
		}
	}
}

// usable returns a descriptor with an introduction point that may be tried. before is the one that was used so far, and last
// what it failed with, if any. Where one directory has nothing better than what has failed, another may.
func (c *Client) usable(ctx context.Context, s *session, before *descriptor, last error) (*descriptor, error) {
	for {
		d, err := c.descriptor(ctx, s.key.service, func(d *descriptor) bool {
			return c.usableLocked(s, d) && (d.PoW == nil || c.cfg.Env.Now().Before(d.PoW.Expires))
		})
		if err != nil {
			if e, ok := errors.AsType[*Error](err); ok && before != nil && e.Reason == NotFound {
				return nil, c.introError(s, before, last) // it is not the directories that are to blame
			}
			return nil, err
		}
		c.mu.Lock()
		ok := c.usableLocked(s, d)
		c.mu.Unlock()
		if ok {
			return d, nil
		}
		before = d
	}
}

// attempt is what there is of a connection that is being made.
type attempt struct {
	*Client
	s    *session
	desc *descriptor

	rend   chan made     // the rendezvous point, when it is ready; nil if none was asked for
	intro  *introduction // a circuit whose introduction point has refused us; nil if there is none
	failed int           // meetings
	lost   int           // ways to introduction points
	last   error

	waits int              // goroutines that wait for the service where it has not come early
	late  chan *rendezvous // each of them sends one: where it has come after all, or nil
	met   func()           // ends the search for other ways
}

// made is a rendezvous point, or why there is none.
type made struct {
	r   *rendezvous
	err error
}

// drop closes what has not led anywhere. The context has ended before.
func (a *attempt) drop() {
	a.closeIntro()
	for ; a.waits > 0; a.waits-- {
		if r := <-a.late; r != nil {
			r.close()
		}
	}
	if a.rend != nil {
		if m := <-a.rend; m.r != nil {
			m.r.close()
		}
		a.rend = nil
	}
}

func (a *attempt) closeIntro() {
	if a.intro != nil {
		a.intro.circ.Close()
		a.intro = nil
	}
}

// meet tries one introduction point.
func (a *attempt) meet(ctx context.Context) (*circuit.Circuit, error) {
	p := a.pickPoint(a.s, a.desc)
	if p == nil {
		return nil, a.introError(a.s, a.desc, a.last)
	}
	a.wantRendezvous(ctx)
	in, err := a.introduceAt(ctx, p)
	if err != nil {
		switch e, ok := errors.AsType[*circmgr.BuildError](err); {
		case ctx.Err() != nil:
		case ok && !e.AtEnd: // it was not even asked; if many circuits are being made, that must not use up all of them
			a.lost++
		default:
			a.blame(p, func(f *failure) { f.unreachable++ })
		}
		return nil, &Error{IntroFailed, err}
	}
	m := <-a.rend
	a.rend = nil
	if m.err != nil {
		in.circ.Close()
		a.failed++
		return nil, &Error{RendFailed, m.err}
	}
	if err := m.r.circ.Err(); err != nil { // while the introduction point was not ready
		in.circ.Close()
		m.r.close()
		a.failed++
		return nil, &Error{RendFailed, err}
	}
	circ, err := a.introduce(ctx, p, in, m.r)
	switch {
	case err == nil, a.rend != nil:
	case errors.Is(err, errLate):
		a.waitLate(ctx, m.r)
	default:
		m.r.close()
	}
	return circ, err
}

// waitLate goes on waiting for the service at r, while other ways are tried. It takes r.
func (a *attempt) waitLate(ctx context.Context, r *rendezvous) {
	a.waits++
	late, met := a.late, a.met // has room for all
	safego.Go(&a.wg, a.log, "rendezvous", func() {
		var come *rendezvous
		defer func() { late <- come }()
		timer := time.NewTimer(patience - early)
		defer timer.Stop()
		select {
		case <-r.joined:
			come = r
			met()
			return
		case <-r.circ.Done():
		case <-timer.C:
		case <-ctx.Done():
		}
		r.close()
	})
}

// awaitLate returns where the service has come late, or nil once there is no hope any more. No other ways are being tried.
func (a *attempt) awaitLate() *rendezvous {
	for a.waits > 0 { // all of them end with the context, if not before
		r := <-a.late
		a.waits--
		if r != nil {
			return r
		}
	}
	return nil
}

// wantRendezvous begins to make a rendezvous point, unless one is being made or is there.
func (a *attempt) wantRendezvous(ctx context.Context) {
	if a.rend != nil {
		return
	}
	ready := make(chan made, 1)
	a.rend = ready
	safego.Go(&a.wg, a.log, "rendezvous point", func() {
		m := made{err: errPanic}
		safego.Run(a.log, "rendezvous point", func() { m.r, m.err = a.establish(ctx, a.s.key.stable) })
		ready <- m
		if m.err == nil {
			m.r.circ.PadRendezvous(a.ctx) // nobody has to wait for that
		}
	})
}

// introduceAt makes a circuit to an introduction point: the one of a point that has refused us goes on to the next.
func (a *attempt) introduceAt(ctx context.Context, p *point) (*introduction, error) {
	if in := a.intro; in != nil {
		a.intro = nil
		timed, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := in.circ.Extend(timed, p.hop); err == nil {
			return newIntroduction(in.circ), nil
		}
		in.circ.Close() // too long, or broken
	}
	in, err := a.cfg.Circuits.Inside(ctx, circmgr.InsideNeed{End: &p.hop})
	if err != nil {
		return nil, err
	}
	return newIntroduction(in.Circ), nil
}

// introduce sends the introduction and waits for the service to come. It takes in.
func (a *attempt) introduce(ctx context.Context, p *point, in *introduction, r *rendezvous) (*circuit.Circuit, error) {
	keep := false
	defer func() {
		if !keep {
			in.circ.Close()
		}
	}()
	text, err := a.plaintext(ctx, r)
	if err != nil {
		return nil, err
	}
	if here, err := r.introduce(in, p.intro, a.desc, text); here {
		return r.circ, nil
	} else if err != nil {
		a.blame(p, func(f *failure) { f.refused = true })
		return nil, &Error{IntroFailed, err}
	}
	began := time.Now()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	lost := in.circ.Done()
	if len(in.ack) > 0 { // it has answered, and closed the circuit perhaps
		lost = nil
	}
	select { // the service may come before the answer does
	case status := <-in.ack:
		if status != relaymsg.IntroduceOK {
			a.blame(p, func(f *failure) { f.refused = true })
			keep, a.intro = true, in
			in.circ.StopPadding()
			// Neither the cookie nor the key has gone to a service: they are good for the next point.
			a.rend = make(chan made, 1)
			a.rend <- made{r: r}
			return nil, &Error{IntroFailed, &nackError{status}}
		}
		keep = true
		a.finish(in, began)
	case <-lost:
		a.blame(p, func(f *failure) { f.unreachable++ })
		return nil, &Error{IntroFailed, in.circ.Err()}
	case <-timer.C:
		a.blame(p, func(f *failure) { f.timedOut = true })
		return nil, &Error{IntroTimedOut, errAckSlow}
	case <-r.joined:
		keep = true
		a.finishLater(in, began)
		a.praise(p)
		return r.circ, nil
	case <-r.circ.Done():
		a.failed++
		return nil, &Error{RendFailed, r.circ.Err()}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	// A relay may keep an introduction point after its service has gone, and say that all is well: it has not heard of it yet.
	timer.Reset(early)
	select {
	case <-r.joined:
		a.praise(p)
		return r.circ, nil
	case <-r.circ.Done():
		err = r.circ.Err()
	case <-timer.C:
		err = errLate
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	a.failed++
	a.blame(p, func(f *failure) { f.unreachable++ })
	return nil, &Error{RendFailed, err}
}

// plaintext makes what only the service can read of the introduction, and the proof of work for it.
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
func (a *attempt) plaintext(ctx context.Context, r *rendezvous) (relaymsg.IntroducePlaintext, error) {
	m := relaymsg.IntroducePlaintext{Cookie: r.cookie, OnionKey: r.at.NTor, Specs: specs(r.at)}
	a.mu.Lock()
	n := a.net
	a.mu.Unlock()
	if cc, inc := a.desc.flow(n.onion, n.exit); cc != nil && r.cc {
		r.setFlow(cc, inc)
		m.Exts = append(m.Exts, circext.CCRequest())
	}
	if a.desc.PoW == nil {
		return m, nil
	}
	effort := hspow.FirstEffort(a.desc.PoW.Effort)
	for range a.failed { // whoever makes too little of it is not told
		effort = hspow.NextEffort(effort)
	}
	if effort == 0 {
		return m, nil
	}
	proof, err := a.prove(ctx, a.desc.blinded, a.desc.PoW.Seed, effort)
	if err != nil {
		return m, err
	}
	m.Exts = append(m.Exts, proof.Extension())
	return m, nil
}
