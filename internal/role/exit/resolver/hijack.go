package resolver

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// When an address counts as one that servers give for names that do not exist; wildcard_increment_answer in C tor.
const (
	maxBogusAnswers = 5    // of names that do not exist may have an address in common by chance
	minBogusNames   = 10   // are asked for before any address is condemned
	maxBogusAddrs   = 4096 // are counted; a server that gives others all the time cannot be told from an honest one
)

// A hijack is what the tests have found out about one set of servers. Its methods are safe for concurrent use.
type hijack struct {
	mu      sync.Mutex         // guards the fields below; a leaf
	asked   int                // names that do not exist
	counts  map[netip.Addr]int // answers for those
	lies    map[netip.Addr]struct{}
	seen    bool // there were any answers
	broken  bool
	victims []string // test addresses that lead to lies, in this round
}

func newHijack() *hijack {
	return &hijack{counts: make(map[netip.Addr]int), lies: make(map[netip.Addr]struct{})}
}

// bogus notes the answer for a name that does not exist. It returns the addresses that are lies from now on, whether this
// is the first answer that such a name got, and whether these are the first lies.
func (h *hijack) bogus(addrs []netip.Addr) (condemned []netip.Addr, first, hijacked bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	first = len(addrs) > 0 && !h.seen
	h.seen = h.seen || first
	for _, a := range addrs {
		if h.counts[a] == 0 && len(h.counts) == maxBogusAddrs {
			continue
		}
		h.counts[a]++
		if _, known := h.lies[a]; !known && h.counts[a] > maxBogusAnswers && h.asked > minBogusNames {
			h.lies[a] = struct{}{}
			condemned = append(condemned, a)
		}
	}
	return condemned, first, len(condemned) > 0 && len(condemned) == len(h.lies)
}

// absolve forgets lies, since a whole round of names that do not exist went as it should.
func (h *hijack) absolve() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked, h.seen = 0, false
	clear(h.counts)
	clear(h.lies)
}

// without returns the addresses that are no lies. If there are none among them, as is the rule, that is addrs itself.
func (h *hijack) without(addrs []netip.Addr) []netip.Addr {
	h.mu.Lock()
	defer h.mu.Unlock()
	isLie := func(a netip.Addr) bool { _, ok := h.lies[a]; return ok }
	if !slices.ContainsFunc(addrs, isLie) {
		return addrs
	}
	return slices.DeleteFunc(slices.Clone(addrs), isLie)
}

// beginTests begins a round of test addresses.
func (h *hijack) beginTests() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.victims = nil
}

// victim notes that a test address, one of total, leads to a lie. It reports whether the servers are useless since.
func (h *hijack) victim(name string, total int) (useless bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name = strings.ToLower(name)
	if !slices.Contains(h.victims, name) {
		h.victims = append(h.victims, name)
	}
	if h.broken || len(h.victims) <= total/2 {
		return false
	}
	h.broken = true
	return true
}

// endTests ends a round of test addresses, of which answered had an answer. It reports whether the servers are of use
// again. C tor never thinks so before the servers change.
func (h *hijack) endTests(answered int) (useful bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.broken || len(h.victims) > 0 || answered == 0 {
		return false
	}
	h.broken = false
	return true
}

func (h *hijack) isBroken() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.broken
}

// Broken reports whether the nameservers send even names that surely exist to the addresses that they give for names that
// do not. An exit must refuse to be one then.
func (r *Resolver) Broken() bool { return r.hijack.Load().isBroken() }
