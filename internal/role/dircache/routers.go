package dircache

import (
	"bytes"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// A router is a router descriptor.
type router struct {
	Document
	extraInfo   [20]byte  // digest of the extra-info document; zero if none
	listedUntil time.Time // the end of the last consensus that listed it
}

// A routerStore holds router descriptors. Of one relay it holds several: some clients still ask for the one that an older
// consensus lists.
type routerStore struct {
	byDigest map[[20]byte]*router
	byFP     map[[20]byte][]*router // ascending by date
}

// An extraInfo is an extra-info document.
type extraInfo struct{ Document }

// Limits on descriptors.
const (
	// maxPerRouter bounds the descriptors of one relay. C tor's bound is the number of authorities, at least 5.
	maxPerRouter = 9
	// maxPublishAge is how old a descriptor may be that is given out by its fingerprint.
	maxPublishAge = 24 * time.Hour
	// maxRouterAge is after how long a descriptor that no consensus lists is dropped.
	maxRouterAge = 5 * 24 * time.Hour
	// maxUnlistedRouters is how many descriptors of one relay are kept that no consensus in force lists, once there are as
	// many of them as there are relays. C tor keeps two, but maps them from disk.
	maxUnlistedRouters = 1
	// maxLonelyAge is after how long an extra-info document is dropped that no descriptor refers to.
	maxLonelyAge = 24 * time.Hour
)

// AddDescriptor adds a router descriptor; its text is copied.
func (c *Cache) AddDescriptor(d *routerdesc.Descriptor) {
	r := &router{
		Document:  Document{d.RSA, d.Digest, d.Published, bytes.Clone(d.Text)},
		extraInfo: d.ExtraInfo,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.routers
	if s.byDigest[r.Digest] != nil {
		return
	}
	if st := &c.flavors[consensus.NS]; st.listed != nil {
		if _, listed := st.listed[r.Digest]; listed {
			r.listedUntil = st.newest.validUntil
		}
	}
	s.byDigest[r.Digest] = r
	list := s.byFP[r.Fingerprint]
	i, _ := slices.BinarySearchFunc(list, r, func(a, b *router) int { return a.Published.Compare(b.Published) })
	s.byFP[r.Fingerprint] = slices.Insert(list, i, r)
	if len(list) >= maxPerRouter {
		s.remove(s.byFP[r.Fingerprint][0])
	}
}

// AddExtraInfo adds an extra-info document; its text is copied.
func (c *Cache) AddExtraInfo(d *extrainfo.Document) {
	e := &extraInfo{Document{d.RSA, d.Digest, d.Published, bytes.Clone(d.Text)}}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extras[d.Digest] == nil {
		c.extras[d.Digest] = e
	}
}

func (s *routerStore) remove(r *router) {
	delete(s.byDigest, r.Digest)
	list := slices.DeleteFunc(s.byFP[r.Fingerprint], func(other *router) bool { return other == r })
	if len(list) == 0 {
		delete(s.byFP, r.Fingerprint)
		return
	}
	s.byFP[r.Fingerprint] = list
}

// newest returns the newest descriptor of a relay, nil if there is none.
func (s *routerStore) newest(fp [20]byte) *router {
	list := s.byFP[fp]
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// documentsFor finds router descriptors or extra-info documents. By fingerprint it gives none that was published before
// the cutoff.
func (c *Cache) documentsFor(r *dirhttp.Resource, encrypted bool, cutoff time.Time) (texts [][]byte) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := r.Kind == dirhttp.ServerAll || r.Kind == dirhttp.ExtraAll
	f := finder{c: c, extra: r.Kind >= dirhttp.ExtraAll, ownAllowed: !c.own.Private || encrypted && !all}
	switch r.Kind {
	case dirhttp.ServerDigest, dirhttp.ExtraDigest:
		for _, d := range r.Digests {
			f.add(f.byDigestLocked(d))
		}
		return f.texts
	}
	f.cutoff = cutoff
	switch r.Kind {
	case dirhttp.ServerFP, dirhttp.ExtraFP:
		for _, fp := range r.Digests {
			f.add(f.byFPLocked(fp))
		}
	case dirhttp.ServerOwn, dirhttp.ExtraOwn:
		f.add(f.ownLocked())
	case dirhttp.ServerAll, dirhttp.ExtraAll:
		f.texts = make([][]byte, 0, len(c.routers.byFP))
		for fp := range c.routers.byFP {
			f.add(f.byFPLocked(fp))
		}
	}
	return f.texts
}

// A finder gathers texts under the cache's lock.
type finder struct {
	c          *Cache
	extra      bool // extra-info documents, not router descriptors
	ownAllowed bool
	cutoff     time.Time
	texts      [][]byte
}

func (f *finder) add(d *Document) {
	if d != nil && !d.Published.Before(f.cutoff) {
		f.texts = append(f.texts, d.Text)
	}
}

func (f *finder) ownLocked() *Document {
	switch {
	case !f.ownAllowed:
		return nil
	case f.extra:
		return f.c.own.ExtraInfo
	}
	return f.c.own.Descriptor
}

func (f *finder) byDigestLocked(digest [20]byte) *Document {
	if own := f.ownLocked(); own != nil && own.Digest == digest {
		return own
	}
	if f.extra {
		if e := f.c.extras[digest]; e != nil {
			return &e.Document
		}
	} else if r := f.c.routers.byDigest[digest]; r != nil {
		return &r.Document
	}
	return nil
}

// byFPLocked finds the extra-info document by way of the newest descriptor, as C tor does.
func (f *finder) byFPLocked(fp [20]byte) *Document {
	if own := f.ownLocked(); own != nil && own.Fingerprint == fp {
		return own
	}
	r := f.c.routers.newest(fp)
	switch {
	case r == nil:
		return nil
	case !f.extra:
		return &r.Document
	}
	if e := f.c.extras[r.extraInfo]; e != nil {
		return &e.Document
	}
	return nil
}
