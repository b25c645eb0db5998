package onion

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/vanity"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// Progress is how far a search for an address has come, over all its runs. It holds nothing secret.
type Progress struct {
	Prefixes []string
	Tries    uint64        // keys
	Spent    time.Duration // wall time of searching
}

// A Hunt searches for an address on several cores. Set all fields.
type Hunt struct {
	Matcher *vanity.Matcher
	Threads int
	Before  Progress // of earlier runs
	Every   time.Duration
	Report  func(p Progress, rate float64) // called after each Every by Run's goroutine; rate is in keys a second
	Log     *slog.Logger
}

// Run searches until a key is found or ctx ends, and returns how far it came in either case.
func (h *Hunt) Run(ctx context.Context) (*Service, Progress, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var (
		wg    sync.WaitGroup
		tries atomic.Uint64
		keys  = make(chan *keyfile.EdSecret, h.Threads)
		begin = time.Now()
		table = vanity.NewTable(vanity.DefaultSpan)
	)
	for range h.Threads {
		safego.Go(&wg, h.Log, "vanity search", func() {
			defer stop(errSearch) // if it panics
			if err := search(ctx, table, h.Matcher, &tries, keys); err != nil {
				stop(err)
			}
		})
	}
	progress := func() Progress {
		return Progress{h.Matcher.Prefixes(), h.Before.Tries + tries.Load(), h.Before.Spent + time.Since(begin)}
	}
	lastTries, lastTime := uint64(0), begin
	timer := time.NewTimer(h.Every)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			timer.Reset(h.Every)
			n, now := tries.Load(), time.Now()
			h.Report(progress(), float64(n-lastTries)/now.Sub(lastTime).Seconds())
			lastTries, lastTime = n, now
		case <-ctx.Done():
			wg.Wait()
			select {
			case key := <-keys: // others may have found one, too: they are forgotten
				s := &Service{Key: key}
				return s, progress(), s.check()
			default:
				return nil, progress(), context.Cause(ctx)
			}
		}
	}
}

var (
	errSearch = errors.New("the search failed")
	errFound  = errors.New("found")
)

// search tries keys until one is found or ctx ends. The error is errFound if one was.
func search(ctx context.Context, table *vanity.Table, m *vanity.Matcher, tries *atomic.Uint64, keys chan<- *keyfile.EdSecret) error {
	s, err := vanity.New(table, m, rand.Reader)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		n, key, err := s.Step()
		if err != nil {
			return err
		}
		tries.Add(uint64(n))
		if key != nil {
			keys <- key // there is room for one of each
			return errFound
		}
	}
	return nil
}

// maxProgress bounds the file with a Progress, in bytes.
const maxProgress = 64 << 10

// ErrProgress says that a file is not about the search that it should be about.
var ErrProgress = errors.New("not the state of this search")

// progressFile is the form of a Progress on disk.
type progressFile struct {
	Prefixes []string `json:"prefixes"`
	Tries    uint64   `json:"tries"`
	Seconds  float64  `json:"seconds"`
}

// AppendTo appends the file with p to dst.
func (p Progress) AppendTo(dst []byte) ([]byte, error) {
	b, err := json.Marshal(progressFile{p.Prefixes, p.Tries, p.Spent.Seconds()})
	return append(append(dst, b...), '\n'), err
}

// ParseProgress reads the file with a Progress, which must be about the prefixes of m.
func ParseProgress(b []byte, m *vanity.Matcher) (Progress, error) {
	var f progressFile
	if len(b) > maxProgress {
		return Progress{}, fmt.Errorf("%w: more than %d bytes", ErrProgress, maxProgress)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return Progress{}, fmt.Errorf("%w: %w", ErrProgress, err)
	}
	want := m.Prefixes()
	same := slices.Equal(f.Prefixes, want)
	const most = float64(1<<62) / float64(time.Second)
	switch {
	case !same:
		return Progress{}, fmt.Errorf("%w: it is about %q", ErrProgress, f.Prefixes)
	case !(f.Seconds >= 0 && f.Seconds < most):
		return Progress{}, fmt.Errorf("%w: %v seconds", ErrProgress, f.Seconds)
	}
	return Progress{want, f.Tries, time.Duration(f.Seconds * float64(time.Second))}, nil
}
