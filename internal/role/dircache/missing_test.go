package dircache

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// The cache tells whoever fills it what it lacks.
func TestMissing(t *testing.T) {
	now := testNow
	c := NewCache(CacheConfig{Env: testEnv(&now)})
	if len(c.MissingDescriptors()) != 0 || len(c.MissingExtraInfo()) != 0 {
		t.Error("something is missing before there is a consensus")
	}
	n := chain(consensus.NS, 5, 1, validAfter)[0]
	set(t, c, n)
	if got := len(c.MissingDescriptors()); got != 5 {
		t.Errorf("%d descriptors are missing, want 5", got)
	}
	listed := n.Consensus.Relays[0]
	digest := [20]byte(listed.Digest[:20])
	text := []byte("router x\n")
	c.AddDescriptor(&routerdesc.Descriptor{RSA: listed.ID, Digest: digest, ExtraInfo: id(1), Published: now, Text: text})
	c.AddDescriptor(&routerdesc.Descriptor{RSA: listed.ID, Digest: id(2), ExtraInfo: id(3), Published: now.Add(-time.Hour)}) // neither listed nor newest
	c.AddDescriptor(&routerdesc.Descriptor{RSA: listed.ID, Digest: id(4), ExtraInfo: id(5), Published: now.Add(time.Hour)})
	c.AddDescriptor(&routerdesc.Descriptor{RSA: id(6), Digest: id(7), Published: now}) // has none
	if got := len(c.MissingDescriptors()); got != 4 {
		t.Errorf("%d descriptors are missing, want 4", got)
	}
	if got := c.MissingExtraInfo(); len(got) != 2 || got[id(1)] != digest || got[id(5)] != id(4) {
		t.Errorf("extra-info documents are missing: %v", got)
	}
	c.AddExtraInfo(&extrainfo.Document{Digest: id(1), Published: now})
	if got := c.MissingExtraInfo(); len(got) != 1 || !c.HasExtraInfo(id(1)) || c.HasExtraInfo(id(5)) {
		t.Errorf("then: %v", got)
	}
	if !c.HasDescriptor(digest) || c.HasDescriptor(id(9)) || !bytes.Equal(c.Descriptor(digest), text) || c.Descriptor(id(9)) != nil {
		t.Error("wrong descriptor")
	}
}

// Once there are many descriptors that nobody lists, few of each relay stay; those that are listed all do.
func TestUnlisted(t *testing.T) {
	now := testNow
	c := NewCache(CacheConfig{Env: testEnv(&now)})
	n := chain(consensus.NS, 3, 1, validAfter)[0]
	set(t, c, n)
	for _, r := range n.Consensus.Relays {
		for i := range byte(4) {
			d := &routerdesc.Descriptor{RSA: r.ID, Digest: [20]byte{r.ID[0], r.ID[1], i}, Published: now.Add(-time.Duration(i) * time.Hour)}
			if i == 3 {
				d.Digest = [20]byte(r.Digest[:20])
			}
			c.AddDescriptor(d)
		}
	}
	c.Clean()
	for _, r := range n.Consensus.Relays {
		if list := c.routers.byFP[r.ID]; len(list) != 2 || list[0].Digest != [20]byte(r.Digest[:20]) || !list[1].Published.Equal(now) {
			t.Errorf("%d descriptors are left, want the one that is listed and the newest", len(list))
		}
	}
	if len(c.routers.byDigest) != 6 {
		t.Errorf("%d descriptors in all", len(c.routers.byDigest))
	}
}

// No client can take the whole capacity.
func TestPerAddr(t *testing.T) {
	p := perAddr{max: 2, conns: map[netip.Addr]int{}}
	a := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	for _, step := range []struct {
		addr netip.Addr
		want bool
	}{
		{a("192.0.2.1"), true}, {a("::ffff:192.0.2.1"), true}, {a("192.0.2.1"), false}, {a("192.0.2.2"), true},
		{a("2001:db8::1"), true}, {a("2001:db8::2"), true}, {a("2001:db8::3"), false}, {a("2001:db8:0:1::1"), true},
		{netip.Addr{}, true},
	} {
		if got := p.take(step.addr); got != step.want {
			t.Errorf("%v: %v, want %v", step.addr, got, step.want)
		}
	}
	p.give(a("192.0.2.1"))
	if !p.take(a("192.0.2.1")) {
		t.Error("what was given back cannot be taken")
	}
	for addr, n := range p.conns {
		for range n {
			p.give(addr)
		}
	}
	if len(p.conns) != 0 {
		t.Errorf("left: %v", p.conns)
	}
}

func TestPerAddrServe(t *testing.T) {
	b := newBed(t, Config{MaxPerAddr: 1, FrontPage: []byte("page")})
	here, there := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { b.server.Serve(t.Context(), there, client) })
	io.WriteString(here, "GET ") // the server has read it, so it counts
	if got := b.ask(t, client, get("/")); got.raw != "" {
		t.Errorf("second connection of an address: %q", got.raw)
	}
	relay := client
	relay.Anonymous = true
	for _, from := range []From{{Addr: netip.MustParseAddr("203.0.113.8")}, relay} {
		if got := b.ask(t, from, get("/")); got.head == nil || got.head.Status != 200 {
			t.Errorf("%+v: %q", from, got.raw)
		}
	}
	here.Close()
	wg.Wait()
	if got := b.ask(t, client, get("/")); got.head == nil || got.head.Status != 200 {
		t.Errorf("after the first has ended: %q", got.raw)
	}
}
