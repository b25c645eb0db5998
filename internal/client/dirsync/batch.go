package dirsync

import (
	"time"

	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

const (
	minPerRequest  = 32 // documents: smaller requests are not worth their circuit
	requestsAtOnce = 3  // servers among which a large download is divided
	delayFewer     = 16 // fewer missing ones than this may wait for more
	delayTime      = 10 * time.Minute
)

// A batch downloads documents that are named by digests, many in a request.
type batch[K comparable] struct {
	fetch
	asked    map[K]bool   // in a request that runs
	failed   map[K]*retry // asked for in vain
	hopeless map[K]bool   // got, and of no use: no server has it otherwise
	last     time.Time    // when a request was sent
}

func newBatch[K comparable](p purpose) batch[K] {
	return batch[K]{fetch: fetch{purpose: p}, asked: map[K]bool{}, failed: map[K]*retry{}, hopeless: map[K]bool{}}
}

// forget drops what failed: a new consensus brings new servers and new digests.
func (b *batch[K]) forget() { b.failed = map[K]*retry{} }

// forgetBut is forget, and drops from what is hopeless all that is not missing any more.
func (b *batch[K]) forgetBut(missing []K) {
	b.forget()
	old := b.hopeless
	b.hopeless = map[K]bool{}
	for _, d := range missing {
		if old[d] {
			b.hopeless[d] = true
		}
	}
}

func (b *batch[K]) nudge() {
	for _, r := range b.failed {
		r.at = time.Time{}
	}
}

// due returns those of the missing documents that may be asked for now, and how long until there may be more of them.
func (b *batch[K]) due(missing []K, now time.Time) (due []K, next time.Duration) {
	next = maxWait
	for _, d := range missing {
		if b.asked[d] || b.hopeless[d] {
			continue
		}
		if r := b.failed[d]; r != nil && now.Before(r.at) {
			next = min(next, r.at.Sub(now))
			continue
		}
		due = append(due, d)
	}
	return due, next
}

// delay returns how long a few documents that are not urgent should wait for more to be asked for together.
func (b *batch[K]) delay(n int, now time.Time) time.Duration {
	if n >= delayFewer || b.last.IsZero() {
		return 0
	}
	return b.last.Add(delayTime).Sub(now)
}

func (b *batch[K]) ask(digests []K) {
	for _, d := range digests {
		b.asked[d] = true
	}
}

// answered notes that a request is over. Those that it did not bring are to be asked for again, together and after a
// wait that again draws, so that they make one request once more.
func (b *batch[K]) answered(digests []K, have func(K) bool, again func(*retry)) {
	var next retry
	var missed []K
	for _, d := range digests {
		delete(b.asked, d)
		if have(d) || b.hopeless[d] {
			delete(b.failed, d)
			continue
		}
		missed = append(missed, d)
		if old := b.failed[d]; old != nil && old.delay > next.delay {
			next = *old
		}
	}
	if len(missed) == 0 {
		return
	}
	again(&next)
	for _, d := range missed {
		b.failed[d] = &next
	}
}

// divide cuts what is due into requests and hands them to servers. Authorities get one request of a purpose at a time;
// what is left waits until one of them has answered. Other servers get all, or as much as most requests at a time, if that
// is not zero.
func divide[K any](s *Sync, f *fetch, due []K, perRequest, most int, ask func(source, []K)) {
	size := max((len(due)+requestsAtOnce-1)/requestsAtOnce, minPerRequest)
	next := func() []K {
		n := min(size, len(due))
		part := due[:n:n]
		due = due[n:]
		return part
	}
	if s.fromAuthorities() {
		size = min(size, perRequest)
		for len(due) > 0 {
			src, ok := s.pickAuthority(f.purpose)
			if !ok {
				return
			}
			ask(src, next())
		}
		return
	}
	servers := s.caches(f.purpose, requestsAtOnce)
	if most > 0 {
		size = min(size, perRequest)
	} else {
		size = min(size, dirhttp.MaxDigests)
	}
	for i := 0; len(due) > 0 && len(servers) > 0 && (most == 0 || f.running < most); i++ {
		ask(servers[i%len(servers)], next())
	}
}
