package hsdir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
)

// errNotNewer is why a descriptor is not stored whose revision we have, or a later one.
var errNotNewer = errors.New("there is a descriptor of this revision or a later one")

// A descriptor is what a service has uploaded. It does not change but for downloads.
type descriptor struct {
	text      []byte
	revision  uint64
	expires   time.Time
	downloads uint64 // of this and earlier revisions
}

// overhead is about what a descriptor takes beside its text, in bytes: descriptor, key and pointer in a map that is half
// empty.
const overhead = 64 + 2*40

func (e *descriptor) memory() int64 { return int64(cap(e.text)) + overhead }

// store keeps a descriptor if it is good and newer than what there is. It copies text.
//
// https://spec.torproject.org/rend-spec/hsdesc-outer.html
func (d *Dir) store(text []byte) error {
	o, err := hsdesc.ParseOuter(text, int(d.size.Load()), d.cfg.Env.Now())
	if err != nil {
		return err
	}
	key := o.BlindedKey()
	e := &descriptor{text: bytes.Clone(text), revision: o.Revision, expires: time.Now().Add(o.Lifetime)}
	d.prune()
	if !d.put(key, e) {
		return fmt.Errorf("revision %d: %w", o.Revision, errNotNewer)
	}
	if d.cfg.Stored != nil {
		d.cfg.Stored(key)
	}
	return nil
}

// put tells whether e is newer than what there is; then it takes the place of that.
func (d *Dir) put(key *[32]byte, e *descriptor) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.descs[*key]; old != nil {
		if old.revision >= e.revision {
			return false
		}
		e.downloads = old.downloads // a service in use stays one
		d.removeLocked(*key, old)
	}
	d.descs[*key] = e
	d.bytes += e.memory()
	return true
}

// lookup returns the text of a descriptor, and counts that.
func (d *Dir) lookup(key *[32]byte) ([]byte, bool) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.descs[*key]
	if e == nil || !now.Before(e.expires) {
		return nil, false
	}
	e.downloads++
	return e.text, true
}

func (d *Dir) removeLocked(key [32]byte, e *descriptor) {
	delete(d.descs, key)
	d.bytes -= e.memory()
}

// clean drops what has expired.
func (d *Dir) clean(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, e := range d.descs {
		if !now.Before(e.expires) {
			d.removeLocked(key, e)
		}
	}
}

// Memory tells how many bytes the descriptors take.
func (d *Dir) Memory() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bytes
}

// MaxBytes tells how many they may take. Memory goes beyond it by what was uploaded last.
func (d *Dir) MaxBytes() int64 { return d.maxBytes.Load() }

// Shrink drops descriptors until at least so many bytes are free, and returns how many that were: those first that were
// downloaded least often, and among them any (hs_cache_handle_oom in C tor).
func (d *Dir) Shrink(n int64) (freed int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shrinkLocked(n)
}

func (d *Dir) shrinkLocked(n int64) (freed int64) {
	sums := map[uint64]int64{} // bytes, by downloads
	for _, e := range d.descs {
		sums[e.downloads] += e.memory()
	}
	var most uint64 // all with fewer downloads go, and of those with as many what is missing
	sum := int64(0) // of those with fewer
	for _, most = range slices.Sorted(maps.Keys(sums)) {
		if sum+sums[most] >= n {
			break
		}
		sum += sums[most]
	}
	missing := n - sum
	for key, e := range d.descs {
		if e.downloads < most || e.downloads == most && missing > 0 {
			if e.downloads == most {
				missing -= e.memory()
			}
			freed += e.memory()
			d.removeLocked(key, e)
		}
	}
	return freed
}

const (
	// spare is what is freed below the maximum, so that not every upload has to free something: a thousand descriptors
	// (HSCACHE_PRUNE_SPARE_ROOM in C tor).
	spare = 1000 * 50000
	// tellInterval is how much time passes between two messages of it.
	tellInterval = 10 * time.Minute
)

// prune makes room if there is too much. It comes before a descriptor is stored, lest that be the one that has to go, and
// its absence tell how full we are.
func (d *Dir) prune() {
	most, now := d.MaxBytes(), time.Now()
	d.mu.Lock()
	used := d.bytes
	if used <= most {
		d.mu.Unlock()
		return
	}
	want := used / 2
	if spare < most {
		want = used - (most - spare)
	}
	freed := d.shrinkLocked(want)
	tell := now.Sub(d.told) >= tellInterval
	if tell {
		d.told = now
	}
	d.mu.Unlock()
	if tell {
		d.cfg.Env.Log.Log(context.Background(), safelog.LevelNotice, "Descriptors of onion services take too much memory: dropping those that were downloaded least often. "+
			"(MaxHSDirCacheBytes says how much they may take.)", "used", used, "max", most, "freed", freed)
	}
}
