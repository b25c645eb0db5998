package dircache

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/authcert"
)

// CacheConfig configures a Cache. Of Env it takes Now and Log.
type CacheConfig struct {
	Env env.Env

	// Disk is the cache directory, where consensuses lie to make diffs from. Nil keeps them in memory.
	Disk statefile.Store

	// KeepConsensuses is how many consensuses of each flavor before the newest are kept to make diffs from; 0 means 24,
	// below 0 none. Each costs 0.7 MB on disk, or else in memory, and its diff as much in memory in all encodings.
	KeepConsensuses int

	// MaxConsensusAge is how old they may be: C tor's MaxConsensusAgeForDiffs, or the consensus parameter
	// max-consensus-age-to-cache-for-diff. 0 means 8192 hours, so that the number alone bounds them.
	MaxConsensusAge time.Duration

	// Lean makes one compressed form of consensuses beforehand, and none of diffs: simulated networks would spend most of their
	// time with the others.
	Lean bool
}

// defaultKeepConsensuses is what C tor keeps of each flavor on the average: its bound is on the number of files.
const defaultKeepConsensuses = 24

const defaultMaxConsensusAge = 8192 * time.Hour

// cleanInterval is how often Run calls Clean.
const cleanInterval = time.Hour

// A Cache holds directory documents. Its methods are safe for concurrent use, but one goroutine at a time calls Run or Work.
type Cache struct {
	cfg     CacheConfig
	wake    chan struct{}     // holds a token when there may be work
	archive *dirstore.Archive // nil if there is none; only the goroutine that works uses it

	mu      sync.RWMutex // a leaf; guards the fields below. The documents themselves never change
	flavors [2]flavorState
	certs   []*authcert.Cert // ascending by fingerprint, then by date
	routers routerStore
	extras  map[[20]byte]*extraInfo // by digest
	micros  map[[32]byte]*micro
	own     Own
	dropped []string // files of the archive that are to be removed
}

// NewCache returns a cache without documents, but for those in its archive on disk.
func NewCache(cfg CacheConfig) *Cache {
	if cfg.KeepConsensuses == 0 {
		cfg.KeepConsensuses = defaultKeepConsensuses
	}
	cfg.MaxConsensusAge = cmp.Or(cfg.MaxConsensusAge, defaultMaxConsensusAge)
	c := &Cache{
		cfg:     cfg,
		wake:    make(chan struct{}, 1),
		routers: routerStore{byDigest: map[[20]byte]*router{}, byFP: map[[20]byte][]*router{}},
		extras:  map[[20]byte]*extraInfo{},
		micros:  map[[32]byte]*micro{},
	}
	c.openArchive()
	return c
}

// Run compresses and makes diffs as consensuses come, and drops what is old, until ctx ends. A new consensus is served once
// its first compressed form is made; until then the one before is.
func (c *Cache) Run(ctx context.Context) {
	timer := time.NewTimer(cleanInterval)
	defer timer.Stop()
	for {
		for ctx.Err() == nil && c.Work() {
		}
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-timer.C:
			c.Clean()
			timer.Reset(cleanInterval)
		}
	}
}

// Own is what this node says of itself. Relays and bridges have the first two, authorities the certificate too.
type Own struct {
	Descriptor *Document
	ExtraInfo  *Document
	Cert       *authcert.Cert
	// Private keeps descriptor and extra-info document to encrypted connections: those of a bridge.
	Private bool
}

// A Document is a router descriptor or an extra-info document.
type Document struct {
	Fingerprint [20]byte // of the relay's RSA identity
	Digest      [20]byte
	Published   time.Time
	Text        []byte // must not change
}

// SetOwn replaces what this node says of itself.
func (c *Cache) SetOwn(o Own) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own = o
}
