package dircache

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/consdiff"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
)

// disk returns which consensuses of the chain lie in the archive.
func onDisk(t *testing.T, files statefile.Store, nets []*consensustest.Network) (list []int) {
	t.Helper()
	a, entries, useless, err := dirstore.OpenArchive(files)
	if err != nil || len(useless) > 0 {
		t.Fatalf("%v, useless: %q", err, useless)
	}
	for _, e := range entries {
		i := slices.IndexFunc(nets, func(n *consensustest.Network) bool { return n.Consensus.Digests.SHA3 == e.Digest })
		text, err := a.Read(e.File)
		if i < 0 || err != nil || !bytes.Equal(text, nets[i].Doc) {
			t.Errorf("%s: of consensus %d, %v", e.File, i, err)
		}
		list = append(list, i)
	}
	slices.Sort(list)
	return list
}

func workAll(t *testing.T, c *Cache) {
	t.Helper()
	for range 1000 {
		if !c.Work() {
			return
		}
	}
	t.Fatal("work does not end")
}

func set(t testing.TB, c *Cache, n *consensustest.Network) {
	t.Helper()
	if err := c.SetConsensus(n.Doc, n.Consensus); err != nil {
		t.Fatal(err)
	}
}

// wantDiffs fails unless there are diffs from some of the consensuses to another, and no others.
func wantDiffs(t *testing.T, c *Cache, nets []*consensustest.Network, to int, from ...int) {
	t.Helper()
	e, _ := c.view(consensus.NS, nil)
	if e == nil || e.digest != nets[to].Consensus.Digests.SHA3 {
		t.Fatalf("not consensus %d is served", to)
	}
	for i, n := range nets {
		b := e.diffFrom([][32]byte{n.Consensus.Digests.SHA3})
		if want := slices.Contains(from, i); want != (b != nil) {
			t.Errorf("diff from %d: %v, want %v", i, b != nil, want)
			continue
		}
		if b == nil {
			continue
		}
		if out, err := consdiff.Apply(n.Doc, b.forms[0]); err != nil || !bytes.Equal(out, nets[to].Doc) {
			t.Errorf("diff from %d: %v", i, err)
		}
	}
}

// After a restart there are diffs from the consensuses of before.
func TestArchive(t *testing.T) {
	now := testNow
	files := new(statefile.Mem)
	cfg := CacheConfig{Env: testEnv(&now), Disk: files, KeepConsensuses: 3}
	nets := chain(consensus.NS, 20, 6, validAfter)

	c := NewCache(cfg)
	for _, n := range nets[:3] {
		set(t, c, n)
		workAll(t, c)
	}
	wantDiffs(t, c, nets, 2, 0, 1)
	if got := onDisk(t, files, nets); !slices.Equal(got, []int{0, 1, 2}) {
		t.Fatalf("on disk: %v", got)
	}
	for _, b := range c.flavors[consensus.NS].bases {
		if b.doc != nil || b.packed != nil {
			t.Error("a consensus on disk is in memory, too")
		}
	}

	// The newest is in the archive already when it is set again, and does not make a diff from itself.
	c = NewCache(cfg)
	set(t, c, nets[2])
	workAll(t, c)
	wantDiffs(t, c, nets, 2, 0, 1)
	if got := onDisk(t, files, nets); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("on disk: %v", got)
	}

	// The first ones go when there are too many, in whatever order they come.
	c = NewCache(cfg)
	set(t, c, nets[4])
	set(t, c, nets[5])
	set(t, c, nets[3])
	workAll(t, c)
	wantDiffs(t, c, nets, 5, 2, 3, 4)
	if got := onDisk(t, files, nets); !slices.Equal(got, []int{2, 3, 4, 5}) {
		t.Errorf("on disk: %v", got)
	}

	// Age counts at once.
	now = now.Add(40 * time.Hour)
	cfg.MaxConsensusAge = 41*time.Hour + 30*time.Minute
	c = NewCache(cfg)
	workAll(t, c)
	if got := onDisk(t, files, nets); !slices.Equal(got, []int{4, 5}) {
		t.Errorf("on disk: %v", got)
	}
	// Nobody knows a consensus from before: no diffs lead to one that is older than those on disk.
	set(t, c, nets[4])
	workAll(t, c)
	wantDiffs(t, c, nets, 4)
}

// A disk that fails costs the diffs after a restart, and nothing else.
func TestArchiveFails(t *testing.T) {
	now := testNow
	files := new(statefile.Mem)
	cfg := CacheConfig{Env: testEnv(&now), Disk: files}
	nets := chain(consensus.NS, 20, 4, validAfter)
	c := NewCache(cfg)
	set(t, c, nets[0])
	files.FailNext(1, errors.New("disk full"))
	workAll(t, c)
	set(t, c, nets[1])
	workAll(t, c)
	wantDiffs(t, c, nets, 1, 0)
	if got := onDisk(t, files, nets); !slices.Equal(got, []int{1}) {
		t.Errorf("on disk: %v", got)
	}
	// Files that a failing disk or somebody else has changed.
	swapped, _ := files.Read("diff-cache/1000")
	set(t, c, nets[2])
	workAll(t, c)
	for name, data := range map[string][]byte{"1001": swapped, "1000": swapped[:len(swapped)-40], "1007": nil, "1008": []byte("x")} {
		if err := files.WriteWhole("diff-cache/"+name, data); err != nil {
			t.Fatal(err)
		}
	}
	c = NewCache(cfg)
	set(t, c, nets[3])
	workAll(t, c)
	wantDiffs(t, c, nets, 3)
}

// A consensus that was superseded before its turn comes to the disk as well.
func TestArchiveSuperseded(t *testing.T) {
	now := testNow
	files := new(statefile.Mem)
	c := NewCache(CacheConfig{Env: testEnv(&now), Disk: files})
	nets := chain(consensus.NS, 20, 3, validAfter)
	for _, n := range nets {
		set(t, c, n)
		c.Work()
	}
	workAll(t, c)
	wantDiffs(t, c, nets, 2, 0, 1)
	if got := onDisk(t, files, nets); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("on disk: %v", got)
	}
}
