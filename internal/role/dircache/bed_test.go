package dircache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/compress"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// validAfter is when the newest consensus of the test bed becomes valid, and testNow the time.
var (
	validAfter = time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	testNow    = validAfter.Add(10 * time.Minute)
)

// client is someone in the Internet who asks over one hop.
var client = From{Addr: netip.MustParseAddr("203.0.113.7"), Stream: true}

// A bed is a cache with some of everything.
type bed struct {
	cache  *Cache
	server *Server
	env    env.Env
	now    time.Time

	nets    map[consensus.Flavor][]*consensustest.Network // ascending by date
	certs   []*authcert.Cert
	routers []*routerdesc.Descriptor
	extras  []Document

	mu     sync.Mutex
	events []Event
}

func testEnv(now *time.Time) env.Env {
	return env.Env{Now: func() time.Time { return *now }, Log: slog.New(slog.DiscardHandler)}
}

// chain makes consensuses of n hours, in which relays come, go and change.
func chain(f consensus.Flavor, relays, hours int, last time.Time) (list []*consensustest.Network) {
	auths := consensustest.Authorities(3)
	n := consensustest.New(consensustest.Options{
		Relays: relays, Seed: 7, Flavor: f, ValidAfter: last.Add(-time.Duration(hours-1) * time.Hour), Authorities: auths,
	})
	list = append(list, n)
	for i := range hours - 1 {
		c := *list[i].Consensus
		c.ValidAfter, c.FreshUntil, c.ValidUntil = c.ValidAfter.Add(time.Hour), c.FreshUntil.Add(time.Hour), c.ValidUntil.Add(time.Hour)
		c.Relays = slices.Clone(c.Relays)
		c.Relays = slices.Delete(c.Relays, i, i+1)
		for j := i; j < len(c.Relays); j += 7 {
			c.Relays[j].Bandwidth++
		}
		doc := consensustest.Sign(&c, auths)
		parsed, err := consensus.Parse(doc)
		if err != nil {
			panic(err)
		}
		list = append(list, &consensustest.Network{Consensus: parsed, Doc: doc, Microdescs: n.Microdescs, Authorities: auths})
	}
	return list
}

func id(b byte) [20]byte { return [20]byte{0: b, 19: b} }

func newBed(tb testing.TB, cfg Config) *bed {
	b := &bed{now: testNow, nets: map[consensus.Flavor][]*consensustest.Network{}}
	b.env = testEnv(&b.now)
	b.cache = NewCache(CacheConfig{Env: b.env})
	cfg.Env = b.env
	cfg.Note = func(e Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, e)
	}
	b.server = NewServer(cfg, b.cache)
	for _, f := range []consensus.Flavor{consensus.NS, consensus.Microdesc} {
		b.nets[f] = chain(f, 40, 3, validAfter)
		for _, n := range b.nets[f] {
			if err := b.cache.SetConsensus(n.Doc, n.Consensus); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for b.cache.Work() {
	}
	for i, a := range consensustest.Authorities(3) {
		for month := range 2 {
			published := validAfter.AddDate(0, month-2, i)
			c, err := authcert.Parse(a.Cert(published, published.AddDate(0, 6, 0)))
			if err != nil {
				tb.Fatal(err)
			}
			b.cache.AddCert(c)
			b.certs = append(b.certs, c)
		}
	}
	var mds []microdesc.Entry
	for _, text := range b.nets[consensus.Microdesc][2].Microdescs {
		mds = append(mds, microdesc.Entry{Text: text})
	}
	b.cache.AddMicrodescs(mds)
	for i := range byte(6) {
		e := Document{id(i), id(0x80 + i), testNow.Add(-time.Duration(i) * 8 * time.Hour), []byte(strings.Repeat("extra-info "+string('a'+rune(i))+"\n", 30))}
		d := &routerdesc.Descriptor{
			RSA: e.Fingerprint, Digest: id(0x40 + i), Published: e.Published, ExtraInfo: e.Digest,
			Text: []byte(strings.Repeat("router "+string('a'+rune(i))+"\n", 50)),
		}
		b.cache.AddDescriptor(d)
		b.cache.AddExtraInfo(&extrainfo.Document{RSA: e.Fingerprint, Digest: e.Digest, Published: e.Published, Text: e.Text})
		b.routers, b.extras = append(b.routers, d), append(b.extras, e)
	}
	return b
}

func (b *bed) newest(f consensus.Flavor) *consensustest.Network {
	return b.nets[f][len(b.nets[f])-1]
}

// An answer is what a client got.
type answer struct {
	raw  string
	head *dirhttp.Response
	text string // of the head
	body []byte // decoded
}

// ask sends bytes to the server and reads until it closes.
func (b *bed) ask(tb testing.TB, from From, request string) answer {
	tb.Helper()
	here, there := net.Pipe()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer here.Close()
	wg.Go(func() { b.server.Serve(context.Background(), there, from) })
	wg.Go(func() { io.WriteString(here, request) })
	raw, err := io.ReadAll(here)
	if err != nil {
		tb.Fatal(err)
	}
	return parse(tb, raw)
}

func parse(tb testing.TB, raw []byte) (a answer) {
	tb.Helper()
	if a.raw = string(raw); a.raw == "" {
		return a
	}
	head, err := new(dirhttp.HeadFinder).Find(raw)
	if err != nil || head == nil {
		tb.Fatalf("answer without a head: %v, %.200q", err, raw)
	}
	if a.head, err = dirhttp.ParseResponse(head); err != nil {
		tb.Fatalf("%v: %q", err, head)
	}
	a.text = string(head)
	body := raw[len(head):]
	if a.head.Length >= 0 && int64(len(body)) != a.head.Length {
		tb.Fatalf("%d bytes of body, announced are %d", len(body), a.head.Length)
	}
	m, ok := compress.MethodByName(a.head.Encoding.String())
	if !ok {
		tb.Fatalf("unknown encoding %v", a.head.Encoding)
	}
	if a.body = body; a.head.Status == dirhttp.StatusOK && len(body) > 0 {
		if a.body, err = compress.Decode(m, body, compress.Limits{}); err != nil {
			tb.Fatal(err)
		}
	}
	return a
}

// get makes a request out of a path and further header lines.
func get(path string, headers ...string) string {
	return "GET " + path + " HTTP/1.0\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
}

func hexOf[T [20]byte | [32]byte](d T) string {
	switch d := any(d).(type) {
	case [20]byte:
		return strings.ToUpper(hex.EncodeToString(d[:]))
	case [32]byte:
		return strings.ToUpper(hex.EncodeToString(d[:]))
	}
	panic("unreachable")
}

// join puts the documents that a request named by the digests gets one behind the other.
func join(docs ...[]byte) []byte { return bytes.Join(docs, nil) }

// microPath names microdescriptors, and sorted returns them in the order in which they come.
func microPath(texts [][]byte) (path string, sorted []byte) {
	byDigest := map[[32]byte][]byte{}
	var digests [][32]byte
	for _, text := range texts {
		d := sha256.Sum256(text)
		digests = append(digests, d)
		byDigest[d] = text
	}
	path, err := dirhttp.MicrodescPath(digests)
	if err != nil {
		panic(err)
	}
	slices.SortFunc(digests, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, d := range digests {
		sorted = append(sorted, byDigest[d]...)
	}
	return path, sorted
}
