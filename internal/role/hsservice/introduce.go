package hsservice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/crypt/hsntor"
	"github.com/tropea-net/tropea/internal/crypt/hspow"
	"github.com/tropea-net/tropea/internal/lib/inet"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// introduction is an INTRODUCE2 message that waits for a worker.
type introduction struct {
	point *point
	body  []byte
}

// introduced takes an introduction. The reader of a link calls it: if the workers cannot keep up, introductions are lost.
func (s *Service) introduced(p *point, body []byte) {
	s.received.Add(1)
	switch left := p.left.Add(-1); {
	case left == 0:
		s.wake() // so that the owner replaces it
	case left < -maxOvertime:
		s.dropped.Add(1)
		return
	}
	select {
	case s.intros <- introduction{p, bytes.Clone(body)}:
	default:
		s.dropped.Add(1)
	}
}

// work takes introductions until ctx ends.
func (s *Service) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case in := <-s.intros:
			safego.Run(s.log, "introduction", func() {
				if err := s.judge(in); err != nil {
					s.dropped.Add(1)
					s.log.Debug("introduction ignored", "service", s.name(), "err", err)
				}
			})
		}
	}
}

// A client wants to be met.
type client struct {
	request *hsntor.Request
	hop     circuit.Hop // the rendezvous point
	cc      bool        // the client asks for congestion control
}

// keys are what workers open introductions with.
type keys struct {
	subcredentials [][32]byte
	pow            []*verifier // empty: no proof of work is asked for
}

// A verifier checks proofs of work for one descriptor.
type verifier struct {
	mu sync.Mutex // guards the field below
	v  *hspow.Verifier
}

// What can be wrong with an introduction, beside the errors of package hsntor.
var (
	errReplay   = errors.New("introduction has come before")
	errCookie   = errors.New("rendezvous cookie has come before")
	errNowhere  = errors.New("rendezvous point has no identity or no address that can be used")
	errInternal = errors.New("rendezvous point has an internal address")
	errSubproto = errors.New("introduction asks for subprotocols that the descriptor does not offer")
)

// judge opens an introduction and puts the client into the queue.
func (s *Service) judge(in introduction) error {
	k := s.keys.Load()
	if k == nil {
		return nil
	}
	m, err := relaymsg.ParseIntroduce(in.body)
	if err != nil {
		return err
	}
	if in.point.replays.has(m.Encrypted) {
		return errReplay
	}
	r, err := in.point.keys.Open(in.body, k.subcredentials...)
	if err != nil {
		return err
	}
	if in.point.replays.repeated(m.Encrypted) { // while it was opened
		return errReplay
	}
	if s.cookies.repeated(r.Cookie, time.Now()) {
		return errCookie
	}
	if _, ok := r.Exts.Get(circext.TypeSubprotocols); ok {
		return errSubproto
	}
	effort, err := k.effort(r.Exts)
	if err != nil {
		return err
	}
	c := &client{request: r}
	if c.hop, err = rendezvousPoint(&r.IntroducePlaintext, s.cfg.AllowInternal); err != nil {
		return err
	}
	_, c.cc = r.Exts.Get(circext.TypeCCRequest)
	if len(k.pow) > 0 {
		s.log.Debug("client waits in the queue", "service", s.name(), "effort", effort)
	}
	s.publish(Event{Kind: Introduced})
	s.do(func(now time.Time) { s.queue.push(c, effort, now) })
	return nil
}

// effort returns what a client's proof of work is worth: nothing without one. A wrong one is an error.
func (k *keys) effort(exts circext.List) (uint32, error) {
	body, ok := exts.Get(circext.TypeProofOfWork)
	if !ok || len(k.pow) == 0 {
		return 0, nil
	}
	proof, err := circext.ParseProofOfWork(body)
	if err != nil {
		return 0, err
	}
	for _, v := range k.pow {
		if err = v.check(proof); !errors.Is(err, hspow.ErrSeed) {
			break
		}
	}
	if err != nil && !errors.Is(err, hspow.ErrFull) {
		return 0, err
	}
	return proof.Effort, nil
}

func (v *verifier) check(p circext.ProofOfWork) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.v.Check(p)
}

// rendezvousPoint returns where a client waits. It must be a relay that one may extend to: an internal address would let clients
// explore what is around other relays.
func rendezvousPoint(m *relaymsg.IntroducePlaintext, internal bool) (h circuit.Hop, err error) {
	set, err := linkspec.NewSet(m.Specs)
	if err != nil {
		return h, fmt.Errorf("rendezvous point: %w", err)
	}
	if !set.HasRSA || len(set.Addrs) == 0 || m.OnionKey == [32]byte{} {
		return h, errNowhere
	}
	for _, a := range set.Addrs {
		if !internal && inet.IsInternal(a.Addr()) {
			return h, errInternal
		}
	}
	return circuit.Hop{RSA: set.RSA, Ed: set.Ed, HasEd: set.HasEd, NTor: m.OnionKey, Addrs: set.Addrs}, nil
}
