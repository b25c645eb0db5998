package server

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/app/state"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/role/relay"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// onionRotated is where the state file says when the onion key was made.
const onionRotated = "LastRotatedOnionKey"

// keys are the relay's keys, as links and circuits want them, and the goroutine that replaces them.
type keys struct {
	env   env.Env
	state *state.File
	ring  *relaykeys.Keyring // owned by run
	msgs  chan func()        // run by the owner
	done  chan struct{}      // closed when run has returned

	creds    atomic.Pointer[link.Credentials]
	circuits atomic.Pointer[relay.Keys]
	changed  func(relaykeys.Report) // told after each change; set before run
}

// openKeys loads the keys of the data directory, and makes those that are missing.
func openKeys(e env.Env, st *state.File, cfg relaykeys.Config) (*keys, relaykeys.Report, error) {
	st.Read(func(d *statedoc.Document) { cfg.OnionRotated = d.Time(onionRotated) })
	ring, report, err := relaykeys.Load(cfg, e.State, e.Now())
	k := &keys{env: e, state: st, ring: ring, msgs: make(chan func()), done: make(chan struct{}), changed: func(relaykeys.Report) {}}
	if err != nil {
		return nil, report, err
	}
	k.saveRotation()
	k.publish()
	return k, report, nil
}

// saveRotation writes at once when the onion key was made: a kill before that would cost the old key.
func (k *keys) saveRotation() {
	var known time.Time
	k.state.Read(func(d *statedoc.Document) { known = d.Time(onionRotated) })
	if at := k.ring.OnionRotated(); !at.Truncate(time.Second).Equal(known) {
		k.state.Change(func(d *statedoc.Document) { d.SetTime(onionRotated, at) })
		k.state.Save()
	}
}

// publish makes the keys of the moment those of links and circuits.
func (k *keys) publish() {
	s := k.ring.Current()
	l := s.Link()
	tls := l.TLS
	k.creds.Store(&link.Credentials{
		RSA: s.Fingerprint(), RSA256: sha256.Sum256(x509.MarshalPKCS1PublicKey(s.RSA().Public())), Ed: s.Ed(),
		TLS: &tls, Responder: l.Responder, Initiator: l.Initiator, Auth: l.Auth,
	})
	k.circuits.Store(&relay.Keys{RSA: s.Fingerprint(), Ed: s.Ed(), Onion: s.OnionKeys()})
}

// current returns the keys of the moment.
func (k *keys) current() *relaykeys.Snapshot { return k.ring.Current() }

// do runs f in the owner goroutine, and reports whether it will.
func (k *keys) do(f func()) bool {
	select {
	case k.msgs <- f:
		return true
	case <-k.done:
		return false
	}
}

// maxWait bounds the time between two looks at the wall clock, which may be set.
const maxWait = time.Minute

// run replaces keys when their time has come, until ctx ends. An error means that the relay cannot go on.
func (k *keys) run(ctx context.Context) error {
	defer close(k.done)
	for {
		now := k.env.Now()
		wait := min(max(k.ring.Next(now).Sub(now), 0), maxWait)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case f := <-k.msgs:
			f()
		case <-timer.C:
			report, err := k.ring.Advance(k.env.Now())
			k.took(report)
			if err != nil {
				return err
			}
		}
		timer.Stop()
	}
}

// reload reads again what an operator may have changed.
func (k *keys) reload(families relaykeys.Families) {
	k.do(func() {
		report, err := k.ring.Reload(families, k.env.Now())
		if err != nil {
			k.env.Log.Warn("Keys of the relay", "err", err)
		}
		k.took(report)
	})
}

// took acts on what the keyring says has changed.
func (k *keys) took(r relaykeys.Report) {
	for _, err := range r.Warnings {
		k.env.Log.Warn("Keys of the relay", "err", err)
	}
	if !r.Changed() {
		return
	}
	k.saveRotation()
	k.publish()
	k.changed(r)
}
