package dircache

import (
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/consdiff"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// The order in which forms are made: the first one of a consensus is quick, since it waits to be served; of a diff, the one
// that our own clients prefer.
var (
	consensusForms = []dirhttp.Encoding{dirhttp.Deflate, dirhttp.Zstd, dirhttp.LZMA}
	diffForms      = []dirhttp.Encoding{dirhttp.Zstd, dirhttp.Deflate, dirhttp.LZMA}
)

// A job is one piece of work, at most some seconds long. Jobs are found in the state of the cache, so there is no queue
// that could grow.
type job struct {
	edition *edition // the newest of its flavor when the job was found
	base    *base    // of the diff that the job is about; nil for the whole document
	pack    bool     // compress the base itself
	store   bool     // put the base, or the edition if there is none, into the archive
	blob    *blob    // to compress; nil to make the diff
	form    dirhttp.Encoding
}

// Work does one piece of work that waits, off the path of requests, and reports whether there was any. Run calls it.
func (c *Cache) Work() bool {
	if c.removeDropped() {
		return true
	}
	j, ok := c.nextJob()
	if !ok {
		return false
	}
	if j.store {
		s := stored{tried: true}
		safego.Run(c.cfg.Env.Log, "directory cache", func() { s = c.put(&j) })
		c.noteStored(&j, s)
		return true
	}
	var result []byte // nil if the job failed: it is not tried again
	safego.Run(c.cfg.Env.Log, "directory cache", func() { result = c.do(&j) })
	if j.base != nil && j.blob == nil && !j.pack && result == nil {
		c.cfg.Env.Log.Info("No diff can be made from an older consensus", "flavor", j.edition.flavor.String())
	}
	c.install(&j, result)
	return true
}

// nextJob finds the most urgent piece of work: the first form of a new consensus, its other forms, its place in the archive,
// diffs from the newest base to the oldest, and last the compression of bases that never were served.
func (c *Cache) nextJob() (job, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	urgent, all := consensusForms[:1], consensusForms
	if c.cfg.Lean {
		all = urgent
	}
	for _, forms := range [][]dirhttp.Encoding{urgent, all} {
		for i := range c.flavors {
			if e := c.flavors[i].newest; e != nil {
				if form, ok := e.doc.missing(forms); ok {
					return job{edition: e, blob: e.doc, form: form}, true
				}
			}
		}
	}
	if j, ok := c.storeJobLocked(); ok {
		return j, true
	}
	for i := range c.flavors {
		if j, ok := c.flavors[i].diffJob(c.cfg.Lean); ok {
			return j, true
		}
	}
	for i := range c.flavors {
		for _, b := range c.flavors[i].bases {
			if b.doc != nil {
				return job{edition: c.flavors[i].newest, base: b, pack: true}, true
			}
		}
	}
	return job{}, false
}

func (st *flavorState) diffJob(lean bool) (job, bool) {
	if st.newest == nil {
		return job{}, false
	}
	for i := len(st.bases) - 1; i >= 0; i-- {
		b := st.bases[i]
		if b.ValidAfter.After(st.newest.validAfter) {
			continue // out of the archive; whoever filled the cache has lost it
		}
		diff, made := st.newest.diffs[b.Digest]
		if !made {
			return job{edition: st.newest, base: b}, true
		}
		if diff == nil || lean {
			continue
		}
		if form, ok := diff.missing(diffForms); ok {
			return job{edition: st.newest, base: b, blob: diff, form: form}, true
		}
	}
	return job{}, false
}

// do computes without a lock: everything that the job refers to is immutable, but for the contents of bases, which only the
// goroutine that works changes.
func (c *Cache) do(j *job) []byte {
	switch {
	case j.pack:
		return compressBest(dirhttp.Deflate, j.base.doc)
	case j.blob != nil:
		return compressBest(j.form, j.blob.forms[dirhttp.Identity])
	}
	from, err := c.text(j.base)
	if err != nil {
		c.cfg.Env.Log.Info("An old consensus cannot be read", "err", err)
		return nil
	}
	diff, err := consdiff.Make(from, j.edition.doc.forms[dirhttp.Identity])
	if err != nil {
		return nil
	}
	return diff
}

// install puts a result in its place, unless another consensus came meanwhile.
func (c *Cache) install(j *job, result []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j.pack {
		if j.base.packed = result; result == nil {
			j.base.packed = j.base.doc // does not decode: no diff will be made from it
			j.base.tried = true
		}
		j.base.doc = nil
		return
	}
	st := &c.flavors[j.edition.flavor]
	if !st.isNewest(j.edition) {
		return
	}
	var key [32]byte
	if j.base != nil {
		key = j.base.Digest
		if !st.has(j.base) {
			return
		}
	}
	var b *blob
	switch {
	case j.blob != nil:
		b = j.blob.with(j.form, result)
	case result != nil:
		b = newBlob(result)
	}
	st.replace(st.newest.with(key, b))
}

// isNewest reports whether e is a state of the newest edition.
func (st *flavorState) isNewest(e *edition) bool {
	return st.newest.digest == e.digest && st.newest.validAfter.Equal(e.validAfter)
}

func (st *flavorState) has(b *base) bool {
	for _, have := range st.bases {
		if have == b {
			return true
		}
	}
	return false
}
