package resolver

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// When the tests take place; check_dns_honesty_callback and dns_launch_correctness_checks in C tor.
const (
	firstTestMin  = 60 * time.Second
	firstTestMax  = 180 * time.Second
	testInterval  = 12 * time.Hour // to twice that
	brokenRetest  = time.Hour      // C tor stays broken
	betweenRounds = 30 * time.Second
)

// testLoop tests some minutes after the start, again and again, and whenever the servers have changed.
func (r *Resolver) testLoop(ctx context.Context) {
	if r.cfg.NoHijackTest {
		<-ctx.Done()
		return
	}
	timer := time.NewTimer(between(firstTestMin, firstTestMax))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-r.reread:
		case <-ctx.Done():
			return
		}
		r.testOnce(ctx)
		next := between(testInterval, 2*testInterval)
		if r.Broken() {
			next = brokenRetest
		}
		timer.Reset(next)
	}
}

func between(from, to time.Duration) time.Duration {
	return from + time.Duration(random.Int64N(int64(to-from)))
}

// testOnce looks for lies: first for names that do not exist, then whether those that exist lead to the same addresses.
func (r *Resolver) testOnce(ctx context.Context) {
	h := r.hijack.Load() // of these servers; a Reload meanwhile replaces it
	r.log.Debug("Testing whether our nameservers hijack DNS failures")
	asked, answered := 0, 0
	for _, b := range bogusNames {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			for range 2 {
				name := b.random()
				addrs, ok := r.testName(ctx, name, qtype)
				if ctx.Err() != nil {
					return
				}
				if ok {
					asked++
				}
				if len(addrs) > 0 {
					answered++
				}
				r.noteBogus(h, name, addrs)
			}
		}
	}
	if asked > minBogusNames && answered == 0 {
		h.absolve()
	}
	// C tor sends all at once and waits for answers; here they are all there. It still gives the servers a rest.
	if len(r.cfg.TestAddresses) == 0 || !sleep(ctx, betweenRounds) {
		return
	}
	r.log.Debug("Testing whether our nameservers hijack everything")
	r.testAddresses(ctx, h)
}

// A bogus name is random, so that it surely does not exist. Top-level domains that are reserved are honoured by some who
// otherwise hijack, so others must be tried as well.
type bogusName struct {
	min, max int // characters
	suffix   string
}

var bogusNames = []bogusName{{2, 16, ".invalid"}, {2, 16, ".test"}, {8, 16, ""}, {8, 16, ".com"}, {8, 16, ".org"}, {8, 16, ".net"}}

func (b bogusName) random() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	name := make([]byte, b.min+random.IntN(b.max-b.min+1))
	for i := range name {
		name[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(name) + b.suffix
}

// testName asks for the addresses of a name, past the cache and without search domains. It reports whether a server has
// answered, if only that there are none.
func (r *Resolver) testName(ctx context.Context, name string, qtype uint16) ([]netip.Addr, bool) {
	q, err := questionFor(strings.Split(asciiLower(strings.TrimSuffix(name, ".")), "."), qtype)
	if err != nil {
		return nil, false
	}
	set := r.current()
	if set == nil || r.acquire(ctx) != nil {
		return nil, false
	}
	defer r.release()
	a, err := r.ask(ctx, set, q)
	return a.addrs, err == nil
}

func (r *Resolver) noteBogus(h *hijack, name string, addrs []netip.Addr) {
	condemned, first, hijacked := h.bogus(addrs)
	if first {
		r.log.Info("Your DNS provider gave an answer for a name that is not supposed to exist. Apparently "+
			"they are hijacking DNS failures. Trying to correct for this.", slog.Any("name", safelog.Of(name)))
	}
	for _, a := range condemned {
		r.log.Info("Your DNS provider gives the same address for many names that do not exist. Treating "+
			"it as \"not found\" from now on.", slog.Any("address", a))
	}
	if hijacked {
		r.publish(Event{Kind: Hijacked})
	}
}

// testAddresses looks up the names that surely exist.
func (r *Resolver) testAddresses(ctx context.Context, h *hijack) {
	h.beginTests()
	answered := 0
	for _, name := range r.cfg.TestAddresses {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			addrs, _ := r.testName(ctx, name, qtype)
			if ctx.Err() != nil {
				return
			}
			if len(addrs) == 0 {
				continue
			}
			answered++
			if len(h.without(addrs)) == 0 && h.victim(name, len(r.cfg.TestAddresses)) {
				r.log.Info("Your DNS provider redirects well-known names to a junk address. I'm going to stop " +
					"being an exit node for now, since our DNS seems so broken.")
				r.publish(Event{Kind: Useless})
			}
		}
	}
	if h.endTests(answered) {
		r.log.Info("Our DNS does not redirect well-known names any more. I'm an exit node again.")
		r.publish(Event{Kind: Useful})
	}
}
