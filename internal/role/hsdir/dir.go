package hsdir

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// Config is what a Dir needs. Of Env it takes Now and Log.
type Config struct {
	Env env.Env

	// MaxBytes is how many bytes the descriptors may take: MaxHSDirCacheBytes, or a fifth of MaxMemInQueues if that is 0
	// (hs_cache_get_max_bytes in C tor). 0 means a fifth of the least that C tor chooses for MaxMemInQueues by itself.
	MaxBytes int64

	// Stored is told of every descriptor that was stored, for statistics. It must not block. It may be nil.
	Stored func(blindedKey *[32]byte)
}

const (
	defaultMaxBytes = 256 << 20 / 5

	// maxText bounds a descriptor, in bytes, whatever the consensus says: nobody could read a longer one, since an object
	// has at most 128 KiB of base64 in C tor as well as here.
	maxText = 160 << 10

	// cleanInterval is how often what has expired is dropped, as in C tor. Nobody gets it meanwhile.
	cleanInterval = 30 * time.Minute
)

// A Dir is an onion service directory. Its methods are safe for concurrent use.
type Dir struct {
	cfg      Config
	maxBytes atomic.Int64
	size     atomic.Int64 // a text must be shorter than this

	mu    sync.Mutex // a leaf; guards the fields below
	descs map[[32]byte]*descriptor
	bytes int64     // what descs takes
	told  time.Time // when the operator was last told that they are too many
}

// New returns a directory without descriptors.
func New(cfg Config) *Dir {
	d := &Dir{cfg: cfg, descs: map[[32]byte]*descriptor{}}
	d.SetMaxBytes(cfg.MaxBytes)
	d.SetParams(nil)
	return d
}

// SetMaxBytes changes Config.MaxBytes. What is too much goes with the next upload.
func (d *Dir) SetMaxBytes(n int64) {
	if n <= 0 {
		n = defaultMaxBytes
	}
	d.maxBytes.Store(n)
}

// SetParams takes the parameters of a consensus.
//
// https://spec.torproject.org/param-spec.html#onion-service
func (d *Dir) SetParams(list params.List) {
	d.size.Store(min(int64(list.Of(params.HSMaxDescriptorSize)), maxText))
}

// Run drops descriptors that have expired, until ctx ends.
func (d *Dir) Run(ctx context.Context) {
	timer := time.NewTimer(cleanInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			d.clean(time.Now())
			timer.Reset(cleanInterval)
		}
	}
}
