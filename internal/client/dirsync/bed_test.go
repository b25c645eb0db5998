package dirsync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/wire/consdiff"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

// world is a network of directory servers that all have the same documents: authorities make a consensus each hour. It is
// a Getter.
type world struct {
	auths  []consensustest.Authority
	relays int
	seed   uint64
	mds    map[[32]byte][]byte
	docs   map[int64][]byte // consensuses by the hour at which they begin
	signed map[int64][]byte // certificates by the hour of their making
	change func(c *consensus.Consensus)
	began  time.Time

	mu      sync.Mutex // guards the fields below
	hook    func(ctx context.Context, s circmgr.DirServer, req dirclient.Request) (body []byte, err error)
	latency time.Duration
	skew    time.Duration
	log     []request
	running int
	most    int // that ran at a time
}

// request is one that a server got.
type request struct {
	at     time.Time
	server [20]byte
	dirclient.Request
}

const relaysInTests = 40

func newWorld() *world {
	return &world{
		auths: consensustest.Authorities(3), relays: relaysInTests, seed: 7,
		mds: map[[32]byte][]byte{}, docs: map[int64][]byte{}, signed: map[int64][]byte{}, latency: 100 * time.Millisecond, began: time.Now(),
	}
}

// made has what was made before, by what it was made of: signatures take time.
var made sync.Map

type recipe struct {
	at     int64
	relays int
	seed   uint64
	auths  int
	hourly bool // it is what consensus returns
}

// network returns a consensus of all relays, which are always the same.
func (w *world) network(at time.Time) *consensus.Consensus {
	key := recipe{at.Unix(), w.relays, w.seed, len(w.auths), false}
	n, ok := made.Load(key)
	if !ok {
		n = consensustest.New(consensustest.Options{
			Relays: w.relays, Seed: w.seed, Flavor: consensus.Microdesc, ValidAfter: at, Authorities: w.auths,
		})
		made.Store(key, n)
	}
	for _, md := range n.(*consensustest.Network).Microdescs {
		w.mds[sha256.Sum256(md)] = md
	}
	c, err := consensus.Parse(n.(*consensustest.Network).Doc) // for the caller to change
	if err != nil {
		panic(err)
	}
	return c
}

// consensus returns the one that begins at the hour before now. Each hour, another relay is away.
func (w *world) consensus(now time.Time) []byte {
	at := now.UTC().Truncate(time.Hour)
	if doc := w.docs[at.Unix()]; doc != nil {
		return doc
	}
	c := w.network(at)
	away := int(at.Unix()/3600) % len(c.Relays)
	c.Relays = slices.Delete(c.Relays, away, away+1)
	key := recipe{at.Unix(), w.relays, w.seed, len(w.auths), true}
	doc, ok := made.Load(key)
	if w.change != nil {
		w.change(c)
	}
	if w.change != nil || !ok {
		doc = consensustest.Sign(c, w.auths)
	}
	if w.change == nil {
		made.Store(key, doc)
	}
	w.docs[at.Unix()] = doc.([]byte)
	return doc.([]byte)
}

func (w *world) certs() []byte {
	at := hour()
	if w.signed[at.Unix()] == nil {
		var text []byte
		for i := range w.auths {
			text = append(text, w.auths[i].Cert(at.Add(-time.Hour), at.AddDate(1, 0, 0))...)
		}
		w.signed[at.Unix()] = text
	}
	return bytes.Clone(w.signed[at.Unix()])
}

// Get implements Getter.
func (w *world) Get(ctx context.Context, s circmgr.DirServer, req dirclient.Request) (*dirclient.Response, error) {
	w.mu.Lock()
	w.log = append(w.log, request{time.Now(), s.Target.RSA, req})
	w.running++
	w.most = max(w.most, w.running)
	hook := w.hook
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.running--
	}()
	if req.Progress != nil {
		req.Progress(dirclient.Connecting)
		req.Progress(dirclient.Requesting)
	}
	select {
	case <-time.After(w.latency):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	err := errPass
	var body []byte
	if hook != nil {
		body, err = hook(ctx, s, req)
	}
	if err == errPass {
		body, err = w.serve(req)
	}
	if err != nil {
		return nil, err
	}
	if len(body) > req.MaxBody {
		return nil, errors.New("answer is too long")
	}
	if req.Progress != nil {
		req.Progress(dirclient.Loading)
	}
	return &dirclient.Response{Body: body, Skew: w.skew}, nil
}

// errPass is what a hook returns for requests that are to be served.
var errPass = errors.New("pass")

var errNotFound = &dirclient.StatusError{Status: 404, Reason: "Not found"}

// serve answers as an honest server does.
func (w *world) serve(req dirclient.Request) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch kindOf(req) {
	case kindConsensus:
		doc := w.consensus(time.Now())
		if !req.Modified.IsZero() && !time.Now().Truncate(time.Hour).After(req.Modified) {
			return nil, &dirclient.StatusError{Status: 304, Reason: "Not modified"}
		}
		for _, digest := range req.DiffFrom {
			for _, base := range w.docs {
				if consdiff.BaseDigest(base) == digest {
					return consdiff.Make(base, doc)
				}
			}
		}
		return doc, nil
	case kindCerts:
		return w.certs(), nil
	}
	var body []byte
	for _, d := range digestsIn(req) {
		body = append(body, w.mds[d]...)
	}
	if body == nil {
		return nil, errNotFound
	}
	return body, nil
}

const (
	kindConsensus = "consensus"
	kindCerts     = "certificates"
	kindMicro     = "microdescriptors"
)

func kindOf(req dirclient.Request) string {
	switch {
	case strings.HasPrefix(req.Path, "/tor/status-vote/current/consensus-microdesc/"):
		return kindConsensus
	case strings.HasPrefix(req.Path, "/tor/keys/fp-sk/"):
		return kindCerts
	case strings.HasPrefix(req.Path, "/tor/micro/d/"):
		return kindMicro
	}
	panic("request for " + req.Path)
}

// digestsIn returns the digests that a request for microdescriptors names.
func digestsIn(req dirclient.Request) (list [][32]byte) {
	names := strings.TrimSuffix(strings.TrimPrefix(req.Path, "/tor/micro/d/"), ".z")
	for name := range strings.SplitSeq(names, "-") {
		d, err := base64.RawStdEncoding.DecodeString(name)
		if err != nil {
			panic(err)
		}
		list = append(list, [32]byte(d))
	}
	return list
}

// bed is a Sync in a bubble of virtual time.
type bed struct {
	*testing.T
	world *world
	files *statefile.Mem
	cfg   Config

	sync  *Sync
	sub   *event.Sub
	stop  func() error // ends Run and returns its error
	ended chan struct{}
}

// run calls f in a bubble. Time begins an hour after the millennium: a quarter past, so that a consensus is fresh.
func run(t *testing.T, f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour + 15*time.Minute)
		b := &bed{T: t, world: newWorld(), files: &statefile.Mem{}}
		bus := &event.Bus{}
		b.sub = bus.Subscribe(100000)
		b.cfg = Config{
			Env: env.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler), State: b.files},
			Get: b.world, Rand: rand.New(rand.NewPCG(1, 2)), Events: bus,
			Caches: func(v *netdir.View, n int, outdated map[[20]byte]bool) (list []*netdir.Relay) {
				for r := range v.Relays() {
					if r.Listed() && len(list) < n && !outdated[r.RSA] {
						list = append(list, r)
					}
				}
				return list
			},
			PathFraction: func(v *netdir.View) float64 {
				n := 0
				for r := range v.Relays() {
					if r.Usable() {
						n++
					}
				}
				return float64(n) / float64(v.Len())
			},
		}
		for i := range b.world.auths {
			b.cfg.Authorities = append(b.cfg.Authorities, trusteddirs.Authority{
				V3Ident: b.world.auths[i].ID(), Fingerprint: [20]byte{0xa0, byte(i)},
				Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 443),
			})
		}
		for i := range 5 {
			b.cfg.Fallbacks = append(b.cfg.Fallbacks, trusteddirs.Fallback{
				RSA: [20]byte{0xf0, byte(i)}, Weight: 1, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 443),
			})
		}
		f(b)
		if b.stop != nil {
			b.stopCleanly()
		}
	})
}

// start runs a new Sync on the files that are there.
func (b *bed) start() {
	b.sync = New(b.cfg)
	ctx, cancel := context.WithCancel(b.Context())
	b.ended = make(chan struct{})
	var err error
	go func() {
		defer close(b.ended)
		err = b.sync.Run(ctx)
	}()
	b.stop = func() error { cancel(); <-b.ended; return err }
	synctest.Wait()
}

// stopCleanly ends the Sync, and fails the test if it had ended by itself.
func (b *bed) stopCleanly() {
	b.Helper()
	if err := b.stop(); !errors.Is(err, context.Canceled) {
		b.Errorf("Run: %v", err)
	}
	b.stop = nil
}

// restart ends the Sync and runs a new one on the same files.
func (b *bed) restart() {
	b.stopCleanly()
	b.world.take()
	b.start()
}

// wait lets time pass.
func (b *bed) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// setHook makes the servers misbehave.
func (w *world) setHook(h func(ctx context.Context, s circmgr.DirServer, req dirclient.Request) ([]byte, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = h
}

// only makes servers answer requests of one kind with what f says. It is called by one at a time and must not wait.
func (w *world) only(kind string, f func(req dirclient.Request) ([]byte, error)) {
	var mu sync.Mutex
	w.setHook(func(_ context.Context, _ circmgr.DirServer, req dirclient.Request) ([]byte, error) {
		if kindOf(req) != kind {
			return nil, errPass
		}
		mu.Lock()
		defer mu.Unlock()
		return f(req)
	})
}

// take returns the requests since the last call.
func (w *world) take() []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	log := w.log
	w.log = nil
	return log
}

// takeOf returns the requests of one kind since the last call, and forgets all others.
func (w *world) takeOf(kind string) []request {
	return slices.DeleteFunc(w.take(), func(r request) bool { return kindOf(r.Request) != kind })
}

// problems returns the errors that events have told since the last call.
func (b *bed) problems() (errs []error) {
	b.Helper()
	for _, e := range b.events() {
		if e.Err != nil {
			errs = append(errs, e.Err)
		}
	}
	return errs
}

func (b *bed) events() (list []Event) {
	b.Helper()
	b.cfg.Events.Publish(nil) // the end
	for {
		e, err := b.sub.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if e == nil {
			return list
		}
		list = append(list, e.(Event))
	}
}

// wantProblem fails unless some event has told of an error that is, or says, what is wanted.
func (b *bed) wantProblem(is error, says string) {
	b.Helper()
	errs := b.problems()
	if !slices.ContainsFunc(errs, func(err error) bool {
		return (is == nil || errors.Is(err, is)) && strings.Contains(err.Error(), says)
	}) {
		b.Errorf("problems: %v, want one that is %v and says %q", errs, is, says)
	}
}

// wantReady fails unless there is a view of the consensus that begins at the given time.
func (b *bed) wantReady(at time.Time) {
	b.Helper()
	v := b.sync.View()
	switch {
	case v == nil:
		b.Errorf("there is no view; problems: %v", b.problems())
	case !v.Consensus().ValidAfter.Equal(at):
		b.Errorf("consensus of %v, want that of %v", v.Consensus().ValidAfter, at)
	}
}

// onDisk returns when the consensus in a file begins; zero if there is none.
func (b *bed) onDisk(name string) time.Time {
	b.Helper()
	text, err := b.files.Read(name)
	if err != nil {
		return time.Time{}
	}
	c, err := consensus.Parse(text)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return c.ValidAfter
}

// stored returns how many of the world's microdescriptors are on disk.
func (b *bed) stored() (n int) {
	b.Helper()
	seen := map[[32]byte]bool{}
	store := dirstore.Store{Files: b.files}
	if err := store.ReadMicrodescs(func(m microdesc.Entry) { seen[sha256.Sum256(m.Text)] = true }); err != nil {
		b.Fatal(err)
	}
	for d := range b.world.mds {
		if seen[d] {
			n++
		}
	}
	return n
}

func hour() time.Time { return time.Now().UTC().Truncate(time.Hour) }

// live tells whether a consensus is in force.
func live(c *consensus.Consensus, now time.Time) bool {
	return !now.Before(c.ValidAfter) && now.Before(c.ValidUntil)
}

func isFallback(id [20]byte) bool  { return id[0] == 0xf0 && id[2] == 0 }
func isAuthority(id [20]byte) bool { return id[0] == 0xa0 && id[2] == 0 }
