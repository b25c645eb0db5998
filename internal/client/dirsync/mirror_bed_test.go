package dirsync

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/consdiff"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/extrainfo/extrainfotest"
)

const publishers = 8

// relays have keys that take a while to make.
var relays = sync.OnceValue(func() (list []*extrainfotest.Relay) {
	for i := range publishers {
		list = append(list, extrainfotest.New("relay"+string('a'+rune(i))))
	}
	return list
})

// A mirrorBed is a Sync that fills a directory cache, in a network that has router descriptors and extra-info documents as
// well. It is a Getter.
type mirrorBed struct {
	*bed
	sink     *dircache.Cache
	isPublic atomic.Bool // the descriptor says that this relay caches
	descs    map[[20]byte][]byte
	extras   map[[20]byte][]byte
	current  [][20]byte       // digests of what relays published last
	ns       map[int64][]byte // consensuses by the hour at which they begin
}

const (
	kindNS     = "ns consensus"
	kindRouter = "router descriptors"
	kindExtra  = "extra-info documents"
	kindCertFP = "certificates of authorities"
)

func mirrorKind(req dirclient.Request) string {
	for prefix, kind := range map[string]string{
		"/tor/status-vote/current/consensus/": kindNS, dirhttp.PrefixServer: kindRouter, dirhttp.PrefixExtra: kindExtra,
		dirhttp.PrefixKeysFP: kindCertFP,
	} {
		if strings.HasPrefix(req.Path, prefix) {
			return kind
		}
	}
	return kindOf(req)
}

// runMirror calls f in a bubble, in which relays have just published.
func runMirror(t *testing.T, f func(b *mirrorBed)) {
	t.Helper()
	relays()
	run(t, func(inner *bed) {
		b := &mirrorBed{bed: inner, descs: map[[20]byte][]byte{}, extras: map[[20]byte][]byte{}, ns: map[int64][]byte{}}
		b.isPublic.Store(true)
		b.publish()
		b.cfg.Get = b
		b.cfg.DirPorts = true
		b.cfg.FromAuthorities = func() bool { return b.isPublic.Load() }
		for i := range b.cfg.Authorities {
			a := &b.cfg.Authorities[i]
			a.DirPort, a.Weight = netip.AddrPortFrom(a.Addr.Addr(), 80), 1
		}
		b.newSink()
		f(b)
		if b.stop != nil {
			b.stopCleanly()
		}
	})
}

// newSink replaces the cache, as a restart does.
func (b *mirrorBed) newSink() {
	e := env.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	b.sink = dircache.NewCache(dircache.CacheConfig{Env: e, Disk: b.files})
	extra := b.cfg.Mirror != nil && b.cfg.Mirror.ExtraInfo
	b.cfg.Mirror = &Mirror{Sink: b.sink, ExtraInfo: extra}
}

// publish makes all relays publish new descriptors.
func (b *mirrorBed) publish() {
	b.world.mu.Lock()
	defer b.world.mu.Unlock()
	b.current = nil
	for _, r := range relays() {
		desc, extra := r.Publish(time.Now().UTC().Truncate(time.Second))
		for d := range dirstore.Split(dirstore.Routers, desc) {
			b.descs[d.Digest] = desc
			b.current = append(b.current, d.Digest)
		}
		for d := range dirstore.Split(dirstore.ExtraInfos, extra) {
			b.extras[d.Digest] = extra
		}
	}
}

// nsConsensus returns the one that begins at the hour before now.
func (b *mirrorBed) nsConsensus(now time.Time) []byte {
	at := now.UTC().Truncate(time.Hour)
	if doc := b.ns[at.Unix()]; doc != nil {
		return doc
	}
	c := consensustest.New(consensustest.Options{
		Relays: publishers, Seed: 3, Flavor: consensus.NS, ValidAfter: at, Authorities: b.world.auths,
	}).Consensus
	for i := range c.Relays {
		c.Relays[i].ID = relays()[i].RSA
		c.Relays[i].Digest = [32]byte{}
		copy(c.Relays[i].Digest[:], b.current[i][:])
	}
	slices.SortFunc(c.Relays, func(x, y consensus.RouterStatus) int { return bytes.Compare(x.ID[:], y.ID[:]) })
	b.ns[at.Unix()] = consensustest.Sign(c, b.world.auths)
	return b.ns[at.Unix()]
}

// Get implements Getter: it answers what the world does not have.
func (b *mirrorBed) Get(ctx context.Context, s circmgr.DirServer, req dirclient.Request) (*dirclient.Response, error) {
	kind := mirrorKind(req)
	w := b.world
	if slices.Contains([]string{kindConsensus, kindCerts, kindMicro}, kind) {
		return w.Get(ctx, s, req)
	}
	w.mu.Lock()
	w.log = append(w.log, request{time.Now(), s.Target.RSA, req})
	hook := w.hook
	w.mu.Unlock()
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
		body, err = b.answer(kind, req)
	}
	if err != nil {
		return nil, err
	}
	return &dirclient.Response{Body: body}, nil
}

func (b *mirrorBed) answer(kind string, req dirclient.Request) (body []byte, err error) {
	b.world.mu.Lock()
	defer b.world.mu.Unlock()
	switch kind {
	case kindNS:
		doc := b.nsConsensus(time.Now())
		if !req.Modified.IsZero() && !time.Now().Truncate(time.Hour).After(req.Modified) {
			return nil, &dirclient.StatusError{Status: 304, Reason: "Not modified"}
		}
		for _, digest := range req.DiffFrom {
			for _, base := range b.ns {
				if consdiff.BaseDigest(base) == digest {
					return consdiff.Make(base, doc)
				}
			}
		}
		return doc, nil
	case kindCertFP:
		return b.world.certs(), nil
	}
	docs := b.descs
	if kind == kindExtra {
		docs = b.extras
	}
	for _, d := range namedIn(req) {
		body = append(body, docs[d]...)
	}
	if body == nil {
		return nil, errNotFound
	}
	return body, nil
}

// namedIn returns the digests of 20 bytes that a request names.
func namedIn(req dirclient.Request) (list [][20]byte) {
	names := strings.TrimSuffix(req.Path[strings.LastIndex(req.Path, "/")+1:], ".z")
	for name := range strings.SplitSeq(names, "+") {
		d, err := hex.DecodeString(name)
		if err != nil {
			panic(err)
		}
		list = append(list, [20]byte(d))
	}
	return list
}

// takeKind returns the requests of one kind since the last call, and forgets all others.
func (b *mirrorBed) takeKind(kind string) []request {
	return slices.DeleteFunc(b.world.take(), func(r request) bool { return mirrorKind(r.Request) != kind })
}

// onlyKind makes servers answer requests of one kind with what f says.
func (b *mirrorBed) onlyKind(kind string, f func(s circmgr.DirServer, req dirclient.Request) ([]byte, error)) {
	b.world.setHook(func(_ context.Context, s circmgr.DirServer, req dirclient.Request) ([]byte, error) {
		if mirrorKind(req) != kind {
			return nil, errPass
		}
		return f(s, req)
	})
}

// have returns how many of the descriptors and extra-info documents that were published last are in the cache.
func (b *mirrorBed) have() (descs, extras int) {
	for _, d := range b.current {
		if b.sink.HasDescriptor(d) {
			descs++
		}
	}
	for d := range b.extras {
		if b.sink.HasExtraInfo(d) {
			extras++
		}
	}
	return descs, extras
}

func (b *mirrorBed) wantHave(descs, extras int) {
	b.Helper()
	if d, e := b.have(); d != descs || e != extras {
		b.Errorf("%d descriptors and %d extra-info documents, want %d and %d", d, e, descs, extras)
	}
}

// wantServed fails unless the cache serves a path, with so many documents that begin with a word.
func (b *mirrorBed) wantServed(path, word string, n int) {
	b.Helper()
	for b.sink.Work() {
	}
	server := dircache.NewServer(dircache.Config{Env: env.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)}}, b.sink)
	here, there := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { server.Serve(context.Background(), there, dircache.From{Stream: true}) })
	wg.Go(func() { io.WriteString(here, "GET "+path+" HTTP/1.0\r\n\r\n") })
	raw, err := io.ReadAll(here)
	here.Close()
	wg.Wait()
	_, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	if got := bytes.Count(append([]byte("\n"), body...), []byte("\n"+word)); err != nil || got != n {
		b.Errorf("%s: %d times %q, want %d; %v, %.60q", path, got, word, n, err, raw)
	}
}

// signedOnDisk returns how many documents of a kind are on disk.
func (b *mirrorBed) signedOnDisk(kind dirstore.Kind) int {
	b.Helper()
	seen := map[[20]byte]bool{}
	store := dirstore.Store{Files: b.files}
	if err := store.ReadSigned(kind, func(d dirstore.Signed) { seen[d.Digest] = true }); err != nil {
		b.Fatal(err)
	}
	return len(seen)
}
