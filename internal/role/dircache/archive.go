package dircache

import (
	"errors"
	"fmt"

	"github.com/tropea-net/tropea/internal/lib/compress"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/consdiff"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// A base is an older consensus. It is read once an hour, so it lies in the archive, or is kept compressed.
type base struct {
	dirstore.Archived
	doc    []byte // nil once it is packed
	packed []byte // Deflate; nil once it is in the archive
	stored
}

// stored says where in the archive a consensus is.
type stored struct {
	file  string // empty if it is not there
	tried bool   // it was to be put there, and that failed
}

var errOtherConsensus = errors.New("the archive has another consensus in its place")

// text returns the consensus. It does not use the archive at the same time as others: only the goroutine that works calls it.
func (c *Cache) text(b *base) (text []byte, err error) {
	switch {
	case b.doc != nil:
		return b.doc, nil
	case b.file == "":
		return compress.Decode(compress.Deflate, b.packed, compress.Limits{MaxOutput: consensus.MaxLen})
	}
	if text, err = c.archive.Read(b.file); err == nil && consdiff.BaseDigest(text) != b.Digest {
		err = fmt.Errorf("%s: %w", b.file, errOtherConsensus)
	}
	return text, err
}

func (e *edition) archived() dirstore.Archived {
	return dirstore.Archived{
		Flavor: e.flavor, ValidAfter: e.validAfter, FreshUntil: e.freshUntil, ValidUntil: e.validUntil,
		Digest: e.digest, Whole: e.whole, Signers: e.signers,
	}
}

// openArchive makes the consensuses of the archive bases.
func (c *Cache) openArchive() {
	if c.cfg.Disk == nil {
		return
	}
	archive, list, useless, err := dirstore.OpenArchive(c.cfg.Disk)
	if err != nil {
		c.cfg.Env.Log.Warn("Cannot read old consensuses; no diffs are made from them", "err", err)
		return
	}
	c.archive, c.dropped = archive, useless
	for _, a := range list {
		st := &c.flavors[a.Flavor]
		if st.knows(a.ValidAfter) {
			c.dropped = append(c.dropped, a.File)
			continue
		}
		st.insert(&base{Archived: a, stored: stored{file: a.File}})
	}
	for i := range c.flavors {
		c.trimLocked(&c.flavors[i], c.cfg.Env.Now())
	}
	c.wakeUp()
}

// removeDropped deletes files of the archive that nothing refers to any more, and reports whether there were any.
func (c *Cache) removeDropped() bool {
	c.mu.Lock()
	list := c.dropped
	c.dropped = nil
	c.mu.Unlock()
	for _, file := range list {
		if err := c.archive.Remove(file); err != nil {
			c.cfg.Env.Log.Warn("Cannot remove an old consensus", "err", err)
		}
	}
	return len(list) > 0
}

// storeJob finds a consensus that is to be put into the archive: the newest of a flavor, which will be a base one day, or a
// base that was superseded before its turn came.
func (c *Cache) storeJobLocked() (job, bool) {
	if c.archive == nil || c.cfg.KeepConsensuses < 0 {
		return job{}, false
	}
	for i := range c.flavors {
		st := &c.flavors[i]
		if e := st.newest; e != nil && e.file == "" && !e.tried && e.doc.forms[dirhttp.Deflate] != nil {
			return job{edition: e, store: true}, true
		}
		for _, b := range st.bases {
			if b.file == "" && !b.tried && b.doc == nil {
				return job{edition: st.newest, base: b, store: true}, true
			}
		}
	}
	return job{}, false
}

// put writes a consensus to the archive.
func (c *Cache) put(j *job) (s stored) {
	a, packed := j.edition.archived(), j.edition.doc.forms[dirhttp.Deflate]
	if j.base != nil {
		a, packed = j.base.Archived, j.base.packed
	}
	file, err := c.archive.Add(&a, packed)
	if err != nil {
		c.cfg.Env.Log.Warn("Cannot store a consensus; no diffs are made from it after a restart", "err", err)
		return stored{tried: true}
	}
	return stored{file: file}
}

// noteStored notes where a consensus was put. What is on disk need not be in memory.
func (c *Cache) noteStored(j *job, s stored) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := &c.flavors[j.edition.flavor]
	if b := j.base; b != nil {
		if b.stored = s; s.file != "" {
			b.packed = nil
		}
		if !st.has(b) && s.file != "" {
			c.dropped = append(c.dropped, s.file)
		}
		return
	}
	if st.isNewest(j.edition) {
		e := *st.newest
		e.stored = s
		st.replace(&e)
		return
	}
	for _, b := range st.bases { // another consensus came meanwhile
		if b.Digest == j.edition.digest && b.file == "" {
			if b.stored = s; s.file != "" {
				b.doc, b.packed = nil, nil
			}
			return
		}
	}
	if s.file != "" {
		c.dropped = append(c.dropped, s.file)
	}
}
