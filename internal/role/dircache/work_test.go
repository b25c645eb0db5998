package dircache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consdiff"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

// A client that offers its old consensuses gets a diff in the encoding of its choice, and the diff leads to the newest.
//
// https://spec.torproject.org/dir-spec/serving-and-requesting-diffs.html
func TestDiffs(t *testing.T) {
	b := newBed(t, Config{})
	for flavor, nets := range b.nets {
		path := dirhttp.ConsensusPath{}
		if flavor == consensus.Microdesc {
			path.Flavor = flavor.String()
		}
		target := nets[2].Doc
		for i, old := range nets[:2] {
			digest := old.Consensus.Digests.SHA3
			inPath := path
			inPath.DiffFrom = &digest
			for _, request := range []string{
				get(path.String(), "X-Or-Diff-From-Consensus: "+hexOf(digest)),
				get(path.String(), "X-Or-Diff-From-Consensus: "+hexOf([32]byte{1})+", "+hexOf(digest)),
				get(path.String(), "Accept-Encoding: x-zstd", "X-Or-Diff-From-Consensus: "+hexOf(digest)),
				get(path.String(), "Accept-Encoding: x-tor-lzma", "X-Or-Diff-From-Consensus: "+hexOf(digest)),
				get(inPath.String()),
			} {
				got := b.ask(t, client, request)
				if !consdiff.IsDiff(got.body) {
					t.Errorf("%v from %d: no diff but %q", flavor, i, got.text)
					continue
				}
				if out, err := consdiff.Apply(old.Doc, got.body); err != nil || !bytes.Equal(out, target) {
					t.Errorf("%v from %d: %v", flavor, i, err)
				}
				if last := b.events[len(b.events)-1]; !last.Diff || last.Flavor != flavor || last.Kind != dirhttp.Consensus {
					t.Errorf("event %+v", last)
				}
			}
		}
	}
}

// Until a new consensus has its first compressed form the old one is served; until a diff is made, the whole.
func TestWorkInStages(t *testing.T) {
	now := testNow
	c := NewCache(CacheConfig{Env: testEnv(&now)})
	b := &bed{cache: c, server: NewServer(Config{Env: testEnv(&now)}, c)}
	nets := chain(consensus.Microdesc, 20, 2, validAfter)
	ask := func(header ...string) answer {
		return b.ask(t, client, get("/tor/status-vote/current/consensus-microdesc.z", header...))
	}
	set := func(i int) {
		t.Helper()
		if err := c.SetConsensus(nets[i].Doc, nets[i].Consensus); err != nil {
			t.Fatal(err)
		}
	}
	want := func(a answer, status int, e dirhttp.Encoding, body []byte) {
		t.Helper()
		if a.head.Status != status || a.head.Encoding != e || !bytes.Equal(a.body, body) {
			t.Fatalf("got %d in %v, %.40q, want %d in %v", a.head.Status, a.head.Encoding, a.body, status, e)
		}
	}
	work := func() {
		t.Helper()
		if !c.Work() {
			t.Fatal("no work")
		}
	}
	all := "Accept-Encoding: x-zstd, deflate, x-tor-lzma"

	set(0)
	want(ask(all), 404, dirhttp.Identity, nil)
	work()
	want(ask(all), 200, dirhttp.Deflate, nets[0].Doc)
	work()
	want(ask(all), 200, dirhttp.Zstd, nets[0].Doc)
	work()
	want(ask(all), 200, dirhttp.LZMA, nets[0].Doc)
	if c.Work() {
		t.Fatal("more work")
	}
	set(0) // is there already
	if c.Work() {
		t.Fatal("work for a known consensus")
	}

	set(1)
	want(ask(all), 200, dirhttp.LZMA, nets[0].Doc)
	want(ask("X-Or-Diff-From-Consensus: "+hexOf(nets[1].Consensus.Digests.SHA3)), 304, dirhttp.Identity, nil)
	work()
	diff := "X-Or-Diff-From-Consensus: " + hexOf(nets[0].Consensus.Digests.SHA3)
	want(ask(diff), 200, dirhttp.Deflate, nets[1].Doc)
	work()
	work()
	want(ask(diff), 200, dirhttp.Deflate, nets[1].Doc)
	work() // the diff
	if got := ask(diff); got.head.Encoding != dirhttp.Identity || !consdiff.IsDiff(got.body) {
		t.Fatalf("%q", got.text)
	}
	work()
	work()
	if got := ask(diff); got.head.Encoding != dirhttp.Deflate || !consdiff.IsDiff(got.body) {
		t.Fatalf("%q", got.text)
	}
	work()
	if c.Work() {
		t.Fatal("more work")
	}
}

// The number and the age of old consensuses are bounded, in whatever order they come, and superseded work is dropped.
func TestBases(t *testing.T) {
	now := testNow
	c := NewCache(CacheConfig{Env: testEnv(&now), KeepConsensuses: 2, MaxConsensusAge: 12 * time.Hour})
	nets := chain(consensus.NS, 20, 5, validAfter)
	for _, i := range []int{3, 0, 4, 2, 1} {
		if err := c.SetConsensus(nets[i].Doc, nets[i].Consensus); err != nil {
			t.Fatal(err)
		}
		c.Work()
	}
	for c.Work() {
	}
	st := &c.flavors[consensus.NS]
	if st.newest != st.served || !st.served.validAfter.Equal(validAfter) || len(st.bases) != 2 || len(st.newest.diffs) != 2 {
		t.Fatalf("%d bases, %d diffs, served %v", len(st.bases), len(st.newest.diffs), st.served.validAfter)
	}
	for i, b := range st.bases {
		if b.Digest != nets[2+i].Consensus.Digests.SHA3 || b.doc != nil {
			t.Errorf("base %d of %v, packed %v", i, b.ValidAfter, b.doc == nil)
		}
		if text, err := c.text(b); err != nil || !bytes.Equal(text, nets[2+i].Doc) {
			t.Errorf("base %d: %v", i, err)
		}
	}
	now = now.Add(10*time.Hour + 30*time.Minute)
	c.Clean()
	if len(st.bases) != 1 || len(st.newest.diffs) != 1 || st.served != st.newest {
		t.Errorf("after 10 hours: %d bases, %d diffs", len(st.bases), len(st.newest.diffs))
	}
	if err := c.SetConsensus(nets[0].Doc, nets[0].Consensus); !errors.Is(err, ErrTooOld) {
		t.Errorf("too old: %v", err)
	}
}

// Whoever writes nonsense into the cache gets no diffs, and no endless loop.
func TestNoDiff(t *testing.T) {
	now := testNow
	c := NewCache(CacheConfig{Env: testEnv(&now)})
	nets := chain(consensus.NS, 5, 2, validAfter)
	for i, doc := range [][]byte{[]byte("no newline at the end"), nets[1].Doc} {
		if err := c.SetConsensus(doc, nets[i].Consensus); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		if !c.Work() {
			break
		}
	}
	if c.Work() {
		t.Fatal("work does not end")
	}
	if e := c.flavors[consensus.NS].served; e == nil || len(e.diffs) != 1 || e.diffFrom([][32]byte{nets[0].Consensus.Digests.SHA3}) != nil {
		t.Errorf("%+v", e)
	}
}

// Run works when something comes, cleans every hour and ends with its context.
func TestRun(t *testing.T) {
	nets := chain(consensus.Microdesc, 5, 1, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		e := testEnv(&now)
		e.Now = time.Now
		c := NewCache(CacheConfig{Env: e, MaxConsensusAge: 24 * time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { c.Run(ctx) })
		synctest.Wait()
		if err := c.SetConsensus(nets[0].Doc, nets[0].Consensus); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if e, _ := c.view(consensus.Microdesc, nil); e == nil || !e.doc.tried.Has(dirhttp.LZMA) {
			t.Error("not compressed")
		}
		text := []byte("onion-key\n")
		c.AddMicrodescs([]microdesc.Entry{{Text: text, LastListed: time.Now().Add(-maxUnlisted)}})
		time.Sleep(cleanInterval + time.Minute)
		synctest.Wait()
		if len(c.microdescsFor([][32]byte{sha256.Sum256(text)})) != 0 {
			t.Error("not cleaned")
		}
		cancel()
		wg.Wait()
	})
}
