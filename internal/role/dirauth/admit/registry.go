package admit

import (
	"bytes"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/keypin"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// A Router is a relay that an authority knows. It does not change.
type Router struct {
	Descriptor *routerdesc.Descriptor
	Status     approvedrouters.Status // never Reject
}

// A Registry holds the newest descriptor of each relay that an authority takes. It is safe for concurrent use.
type Registry struct {
	mu      sync.Mutex // guards all below; no signature is checked under it
	cfg     Config
	pins    *keypin.Pins
	limiter limiter
	routers map[[20]byte]*Router
	hashes  map[[32]byte]*Router // by SHA-256 of the text
	digests map[[20]byte]*Router // by the digest of the descriptor
	extras  map[[20]byte]int     // how many descriptors refer to an extra-info document
	addrs   map[netip.Addr]int   // how many relays are at an address
	held    int                  // bytes of all descriptors, by sizeOf
}

// New makes a registry without relays. It takes pins, which may be from the journal.
func New(cfg Config, pins *keypin.Pins) *Registry {
	cfg.Limits = cfg.Limits.orDefaults()
	return &Registry{
		cfg: cfg, pins: pins, limiter: newLimiter(cfg.Limits),
		routers: map[[20]byte]*Router{}, hashes: map[[32]byte]*Router{}, digests: map[[20]byte]*Router{}, extras: map[[20]byte]int{},
		addrs: map[netip.Addr]int{},
	}
}

// Routers yields the relays at this moment, in the order of their fingerprints.
func (r *Registry) Routers() iter.Seq[*Router] {
	r.mu.Lock()
	list := slices.Collect(maps.Values(r.routers))
	r.mu.Unlock()
	slices.SortFunc(list, func(a, b *Router) int { return bytes.Compare(a.Descriptor.RSA[:], b.Descriptor.RSA[:]) })
	return slices.Values(list)
}

// Router returns the relay of a fingerprint, or nil.
func (r *Registry) Router(rsa [20]byte) *Router {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.routers[rsa]
}

// ByDigest returns the relay whose newest descriptor has a digest, or nil.
func (r *Registry) ByDigest(digest [20]byte) *Router {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.digests[digest]
}

// NeedsExtraInfo tells whether the newest descriptor of a relay refers to an extra-info document.
func (r *Registry) NeedsExtraInfo(digest [20]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.extras[digest] > 0
}

// Add takes a descriptor that is no upload: from our cache, or from another authority, whose vote lists it. listed tells
// whether the latest consensus lists it, which makes it count though we have a newer one. Its text is copied if it is added.
func (r *Registry) Add(d *routerdesc.Descriptor, listed bool, now time.Time) (Outcome, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, _ := r.add(d, hashOf(d.Text), listed, now)
	return v.Outcome, v.message
}

// WouldReject tells that there is no point in fetching the descriptor of a relay that somebody's vote lists.
func (r *Registry) WouldReject(id Identity) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, _ := r.cfg.Status(id, "")
	return s.Has(approvedrouters.Reject)
}

// Configure changes the operator's opinion, also of the relays that are here. It returns those that are no longer.
//
// C tor: directory_remove_invalid.
func (r *Registry) Configure(cfg Config, now time.Time) (removed []*Router) {
	cfg.Limits = cfg.Limits.orDefaults()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cfg = cfg
	r.limiter.set(cfg.Limits, r.limiter.at(now))
	for id, was := range r.routers {
		d := was.Descriptor
		status, _ := cfg.Status(Identity{d.RSA, d.Ed25519, d.OR}, d.Platform)
		switch {
		case status.Has(approvedrouters.Reject), cfg.PinKeys && r.pins.Check(pinOf(d)) == keypin.Mismatch:
			r.remove(id)
			removed = append(removed, was)
		case status != was.Status:
			is := &Router{d, status}
			r.routers[id], r.hashes[hashOf(d.Text)], r.digests[d.Digest] = is, is, is
		}
	}
	return removed
}

// maxRouterAge is how old a descriptor gets that no consensus lists: OLD_ROUTER_DESC_MAX_AGE.
const maxRouterAge = 5 * 24 * time.Hour

// Expire forgets descriptors that are too old, unless listed tells that a consensus lists their digest. It returns how many
// that were.
func (r *Registry) Expire(now time.Time, listed func(digest [20]byte) bool) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, router := range r.routers {
		if d := router.Descriptor; !d.Published.After(now.Add(-maxRouterAge)) && !listed(d.Digest) {
			r.remove(id)
			n++
		}
	}
	return n
}

// usualSize is what a relay that is known may always need, in bytes.
const usualSize = 8 << 10

// sizeOf is about how much memory a descriptor takes, in bytes. A line of its policy may stand for many rules.
func sizeOf(d *routerdesc.Descriptor) int {
	const (
		fixed = 1 << 10 // keys, and places in the maps
		entry = 48      // a rule, or a string and what holds it
	)
	return fixed + len(d.Text) + entry*(len(d.Policy)+len(d.Family)+len(d.FamilyIDs))
}

// add judges a descriptor by the rules for all, and keeps it if it is good.
func (r *Registry) add(d *routerdesc.Descriptor, hash [32]byte, listed bool, now time.Time) (verdict, *Router) {
	old := r.routers[d.RSA]
	v, status := r.cfg.judge(descriptorOf(old), d, r.pins, listed, now)
	if v.Outcome != Added {
		return v, nil
	}
	size := sizeOf(d)
	if r.held+size > r.cfg.Limits.HeldBytes && (old == nil || size > max(sizeOf(old.Descriptor), usualSize)) {
		return verdict{Busy, msgFull}, nil
	}
	kept := *d
	kept.Text = bytes.Clone(d.Text) // the rest of an upload is not kept
	is := &Router{&kept, status}
	r.remove(d.RSA)
	r.routers[d.RSA], r.hashes[hash], r.digests[d.Digest] = is, is, is
	r.extras[d.ExtraInfo]++
	r.addrs[d.OR.Addr()]++
	r.held += size
	return v, is
}

func (r *Registry) remove(id [20]byte) {
	old := r.routers[id]
	if old == nil {
		return
	}
	delete(r.routers, id)
	delete(r.hashes, hashOf(old.Descriptor.Text))
	delete(r.digests, old.Descriptor.Digest)
	r.held -= sizeOf(old.Descriptor)
	less(r.extras, old.Descriptor.ExtraInfo)
	less(r.addrs, old.Descriptor.OR.Addr())
}

// less counts one less of key.
func less[K comparable](count map[K]int, key K) {
	if count[key]--; count[key] == 0 {
		delete(count, key)
	}
}

func descriptorOf(r *Router) *routerdesc.Descriptor {
	if r == nil {
		return nil
	}
	return r.Descriptor
}
