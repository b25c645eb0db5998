package netdir_test

import (
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

func TestView(t *testing.T) {
	n := netdirtest.Network{Relays: []netdirtest.Relay{
		{N: 3, Flags: netdirtest.Exit, Addr6: "[2001:db8::1]:443"},
		{N: 1, Nickname: "first"},
		{N: 7, Flags: netdirtest.Guard},
		{N: 5, Flags: netdirtest.Plain &^ consensus.Running},
		{N: 6, Flags: netdirtest.Plain &^ consensus.Valid},
		{N: 8, Addr: "none"},
		{N: 9, Addr: "none", Addr6: "[2001:db8::9]:443"},
		{N: 10, Protocols: "Link=4 Relay=1"},
		{N: 11, Protocols: "Link=1-3 Relay=2"},
		{N: 12, NoMicrodesc: true},
	}}
	v := n.View()
	if v.Len() != len(n.Relays) {
		t.Errorf("%d relays, want %d", v.Len(), len(n.Relays))
	}
	var order, usable []int
	for r := range v.Relays() {
		order = append(order, netdirtest.N(r))
		if r.Usable() {
			usable = append(usable, netdirtest.N(r))
		}
	}
	if want := []int{1, 3, 5, 6, 7, 8, 9, 10, 11, 12}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	if want := []int{1, 3, 7, 9}; !slices.Equal(usable, want) {
		t.Errorf("usable are %v, want %v", usable, want)
	}
	for _, x := range n.Relays {
		byRSA, byEd := v.ByRSA(netdirtest.ID(x.N)), v.ByEd(netdirtest.Ed(x.N))
		if byRSA == nil || netdirtest.N(byRSA) != x.N {
			t.Errorf("relay %d by RSA identity: %v", x.N, byRSA)
		}
		if want := byRSA.HasDescriptor; byEd != nil != want || want && byEd != byRSA {
			t.Errorf("relay %d by Ed25519 identity: %v", x.N, byEd)
		}
	}
	for _, id := range []int{0, 2, 4, 300} {
		if v.ByRSA(netdirtest.ID(id)) != nil || v.ByEd(netdirtest.Ed(id)) != nil {
			t.Errorf("relay %d is not listed, and was found", id)
		}
	}
	r := v.ByRSA(netdirtest.ID(3))
	if got := r.Addrs(); len(got) != 2 || got[0].String() != "10.3.0.1:9001" || got[1].String() != "[2001:db8::1]:443" {
		t.Errorf("addresses of relay 3: %v", got)
	}
	if !r.Exit4.Allows(80) || r.Exit4.Allows(25) || !r.Exit6.RejectsAll() || !r.HasEd || r.NTor == [32]byte{} || !r.MayExit() {
		t.Errorf("relay 3: %+v", r)
	}
	if name := v.ByRSA(netdirtest.ID(1)).Nickname; name != "first" {
		t.Errorf("nickname %q", name)
	}
}

// Two relays may have one Ed25519 identity: the operator copied the key.
func TestSharedEd(t *testing.T) {
	n := netdirtest.Network{Relays: []netdirtest.Relay{{N: 1}, {N: 2}}}
	c, mds := n.Consensus(), n.Microdescs()
	for i := range c.Relays {
		mds[c.Relays[i].Digest].Ed25519 = netdirtest.Ed(1)
	}
	v := netdir.New(c, func(d [32]byte) *microdesc.Microdesc { return mds[d] })
	if r := v.ByEd(netdirtest.Ed(1)); r == nil || netdirtest.N(r) != 1 {
		t.Errorf("found %v, want relay 1", r)
	}
}

func TestWith(t *testing.T) {
	n := netdirtest.Network{Relays: []netdirtest.Relay{{N: 1}, {N: 2}, {N: 3}, {N: 4, Flags: consensus.Valid}}}
	c, mds := n.Consensus(), n.Microdescs()
	known := map[[32]byte]bool{}
	lookup := func(d [32]byte) *microdesc.Microdesc {
		if known[d] {
			return mds[d]
		}
		return nil
	}
	none := netdir.New(c, lookup)
	if len(none.Missing()) != 3 { // nobody wants that of relay 4, which is not running
		t.Fatalf("missing: %x", none.Missing())
	}
	if none.With(lookup) != none {
		t.Error("a new view although nothing is new")
	}
	known[c.Relays[1].Digest] = true
	one := none.With(lookup)
	if got, want := one.Missing(), [][32]byte{c.Relays[0].Digest, c.Relays[2].Digest}; !slices.Equal(got, want) {
		t.Errorf("missing %x, want %x", got, want)
	}
	if len(none.Missing()) != 3 || none.ByRSA(netdirtest.ID(2)).Usable() || none.ByEd(netdirtest.Ed(2)) != nil {
		t.Error("the old view has changed")
	}
	if !one.ByRSA(netdirtest.ID(2)).Usable() || one.ByEd(netdirtest.Ed(2)) == nil {
		t.Error("the new view does not have what is new")
	}
	if one.ByRSA(netdirtest.ID(1)) != none.ByRSA(netdirtest.ID(1)) {
		t.Error("what has not changed is not shared")
	}
	known[c.Relays[0].Digest], known[c.Relays[2].Digest] = true, true
	all := one.With(lookup)
	if len(all.Missing()) != 0 || all.With(lookup) != all {
		t.Errorf("missing: %x", all.Missing())
	}
	for n := 1; n <= 3; n++ {
		if all.ByEd(netdirtest.Ed(n)) != all.ByRSA(netdirtest.ID(n)) {
			t.Errorf("relay %d is not found by its Ed25519 identity", n)
		}
	}
	if all.ByRSA(netdirtest.ID(4)).HasDescriptor {
		t.Error("a relay that is not running has a microdescriptor")
	}
}

func TestRelaySize(t *testing.T) {
	if size := unsafe.Sizeof(netdir.Relay{}); size > 256 {
		t.Errorf("a relay takes %d bytes", size)
	}
}

// A client with the public network's directory is to stay below 60 MiB: the view may have a tenth of that.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a large network takes long to make")
	}
	c, lookup := netdirtest.Large(9000)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first one has found to have a finalizer
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	v := netdir.New(c, lookup)
	took := heap() - before
	t.Logf("%d bytes, %d a relay", took, took/int64(v.Len()))
	if took > 6<<20 {
		t.Errorf("a view of %d relays takes %d bytes", v.Len(), took)
	}
	if len(v.Missing()) > 0 {
		t.Errorf("%d microdescriptors are missing", len(v.Missing()))
	}
	runtime.KeepAlive(lookup)
}

func BenchmarkNew(b *testing.B) {
	c, lookup := netdirtest.Large(9000)
	b.ReportAllocs()
	for b.Loop() {
		netdir.New(c, lookup)
	}
}

// BenchmarkWith adds the last hundred microdescriptors.
func BenchmarkWith(b *testing.B) {
	c, lookup := netdirtest.Large(9000)
	last := map[[32]byte]bool{}
	for i := range 100 {
		last[c.Relays[i*90].Digest] = true
	}
	v := netdir.New(c, func(d [32]byte) *microdesc.Microdesc {
		if last[d] {
			return nil
		}
		return lookup(d)
	})
	b.ReportAllocs()
	for b.Loop() {
		v.With(lookup)
	}
}

func BenchmarkPathFraction(b *testing.B) {
	c, lookup := netdirtest.Large(9000)
	v := netdir.New(c, lookup)
	b.ReportAllocs()
	for b.Loop() {
		v.PathFraction()
	}
}
