package hsclient

import (
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/crypt/hsenc"
	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// keys are those of a service in a time period.
type keys struct {
	period        hskeys.Period
	blinded       [32]byte
	subcredential [32]byte
}

func newKeys(a onionaddr.Address, p hskeys.Period) (k keys, err error) {
	k.period = p
	if k.blinded, err = hskeys.BlindPublic(a, p); err != nil {
		return k, err
	}
	k.subcredential = hskeys.Subcredential(a, k.blinded)
	return k, nil
}

// descriptor is a descriptor that was decrypted. It does not change.
type descriptor struct {
	keys
	*hsdesc.Inner
	revision uint64
	fetched  time.Time
}

// limits are those that a consensus sets to descriptors.
type limits struct {
	size int // HSV3MaxDescriptorSize
	cc   *congestion.Params
}

// open checks and decrypts what a directory says is the descriptor of k.
func open(text []byte, k keys, client *x25519.KeyPair, l limits, now time.Time) (*descriptor, error) {
	outer, err := hsdesc.ParseOuter(text, l.size, now)
	if err != nil {
		return nil, err
	}
	if *outer.BlindedKey() != k.blinded {
		return nil, errOtherKey
	}
	inner, err := hsenc.Open(outer, k.subcredential, client, now)
	if err != nil {
		return nil, err
	}
	if f := inner.FlowControl; f != nil && !l.cc.GoodInc(int(f.SendmeInc)) {
		return nil, errIncrement
	}
	return &descriptor{k, inner, outer.Revision, now}, nil
}

// maxDescriptors bounds the cache. A descriptor takes some tens of kilobytes at most.
const maxDescriptors = 512

// cache holds descriptors. The zero value is empty.
type cache struct {
	of map[onionaddr.Address]*descriptor
}

// get returns the descriptor of a service for a time period, or nil.
func (c *cache) get(a onionaddr.Address, p hskeys.Period) *descriptor {
	d := c.of[a]
	if d != nil && d.period != p {
		delete(c.of, a)
		return nil
	}
	return d
}

// put takes a descriptor in, unless a later version is there.
func (c *cache) put(a onionaddr.Address, d *descriptor) {
	if c.of == nil {
		c.of = map[onionaddr.Address]*descriptor{}
	}
	old := c.of[a]
	if old != nil && old.period == d.period && old.revision > d.revision {
		return
	}
	if old == nil && len(c.of) >= maxDescriptors {
		c.evict()
	}
	c.of[a] = d
}

// evict forgets the descriptor that was fetched first.
func (c *cache) evict() {
	var oldest onionaddr.Address
	for a, d := range c.of {
		if o := c.of[oldest]; o == nil || d.fetched.Before(o.fetched) {
			oldest = a
		}
	}
	delete(c.of, oldest)
}

// flow returns what congestion control a meeting is to have, and the cells a SENDME, or nil.
func (d *descriptor) flow(onion, exit *congestion.Params) (*congestion.Params, int) {
	f := d.FlowControl
	if f == nil || !onion.Enabled || !f.Versions.Supports(protover.FlowCtrl, 2) {
		return nil, 0
	}
	if d.SingleOnion {
		onion = exit
	}
	return onion, int(f.SendmeInc)
}

// authKey is the key by which an introduction point knows the service.
func authKey(p *hsdesc.IntroPoint) [32]byte { return p.AuthCert.Key }

// has tells whether the descriptor has an introduction point that f lets through.
func (d *descriptor) has(f func(p *hsdesc.IntroPoint) bool) bool {
	return slices.ContainsFunc(d.Points, func(p hsdesc.IntroPoint) bool { return f(&p) })
}
