package circmgr

import (
	"slices"
	"time"
)

// portMemory is how long a port that was asked for counts as likely to be asked for again.
const portMemory = time.Hour

// predictor remembers which ports circuits should be ready for. The zero value expects web traffic.
type predictor struct {
	seen map[uint16]time.Time
}

// used notes that a stream to port was asked for; port 0, a name look-up, needs nothing of an exit.
func (p *predictor) used(port uint16, now time.Time) {
	p.start(now)
	if port != 0 {
		p.seen[port] = now
	}
}

// likely returns the ports to be ready for, in a fixed order.
func (p *predictor) likely(now time.Time) []uint16 {
	p.start(now)
	var ports []uint16
	for port, at := range p.seen {
		if now.Sub(at) >= portMemory {
			delete(p.seen, port)
			continue
		}
		ports = append(ports, port)
	}
	slices.Sort(ports)
	return ports
}

// start expects the ports that most people ask for first.
func (p *predictor) start(now time.Time) {
	if p.seen == nil {
		p.seen = map[uint16]time.Time{80: now, 443: now}
	}
}

const (
	freeFailures = 3 // builds that may fail in a row before the next one waits
	firstBackoff = time.Second
	maxBackoff   = 30 * time.Second
)

// backoff slows builds down when they keep failing. The zero value lets them run.
type backoff struct {
	failures int
	until    time.Time
}

func (b *backoff) failed(now time.Time) {
	b.failures++
	if b.failures < freeFailures {
		return
	}
	b.until = now.Add(min(firstBackoff<<min(b.failures-freeFailures, 10), maxBackoff))
}

func (b *backoff) reset() { *b = backoff{} }

func (b *backoff) wait(now time.Time) time.Duration { return max(b.until.Sub(now), 0) }
