package dos

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// flood is the address number i of somebody who has many.
func flood(i int) netip.Addr {
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint64(b[8:], uint64(i))
	return netip.AddrFrom16(b)
}

// wantSound checks that the index of each shard fits its clients, and that no shard is over its bound.
func (n *relay) wantSound() {
	n.t.Helper()
	for i := range n.table.shards {
		s := &n.table.shards[i]
		if len(s.index) != len(s.clients) || len(s.clients) > s.max {
			n.t.Fatalf("shard %d: %d in the index, %d clients, at most %d", i, len(s.index), len(s.clients), s.max)
		}
		for j := range s.clients {
			if s.index[s.clients[j].key] != int32(j) {
				n.t.Fatalf("shard %d: client %d is %d in the index", i, j, s.index[s.clients[j].key])
			}
		}
	}
}

// TestOddAddrs checks what an address is.
func TestOddAddrs(t *testing.T) {
	n := newRelay(t, all())
	for range 200 {
		c, ok := n.Connect(netip.Addr{}, n.now) // a unix socket
		if !ok || !n.Create(netip.Addr{}, n.now) {
			t.Fatal("no address is refused")
		}
		defer c.Close(n.now)
	}
	n.connect(addr("fe80::1%eth0"), 20)
	n.connect(addr("fe80::1%eth1"), 20)
	n.wantRefused(addr("fe80::1"), "zones do not make addresses")
	n.connect(addr("fe80::2"), 39) // a network does not make a client
	if s := n.Stats(); s.Addrs != 2 {
		t.Errorf("%d addresses", s.Addrs)
	}
}

func TestForgotten(t *testing.T) {
	for _, tc := range []struct {
		name string
		mark func(n *relay, a netip.Addr)
		kept time.Duration
	}{
		{"idle", func(*relay, netip.Addr) {}, time.Hour},
		{"marked for connections", func(n *relay, a netip.Addr) {
			for _, c := range n.connect(a, 39) {
				c.Close(n.now)
			}
		}, 24 * time.Hour},
		{"marked for circuits", func(n *relay, a netip.Addr) { n.connect(a, 1)[0].Close(n.now); n.connect(a, 2); n.create(a, 90) }, 1000 * time.Hour},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := newRelay(t, all())
			a := addr("18.0.0.1")
			n.connect(a, 1)[0].Close(n.now)
			tc.mark(n, a)
			n.pass(tc.kept)
			n.Expire(n.now)
			if s := n.Stats(); s.Addrs != 1 {
				t.Fatalf("forgotten within %v", tc.kept)
			}
			if tc.kept > 100*time.Hour {
				return // it has connections
			}
			n.pass(tc.kept/2 + time.Second)
			n.Expire(n.now)
			if s := n.Stats(); s.Addrs != 0 {
				t.Fatal("not forgotten")
			}
			n.wantSound()
		})
	}
}

// TestExpiresByItself checks that new connections make room for others.
func TestExpiresByItself(t *testing.T) {
	n := newRelay(t, all())
	for i := range 100_000 {
		n.connect(flood(i), 1)[0].Close(n.now)
		n.pass(time.Second)
	}
	if s := n.Stats(); s.Addrs > 6000 || s.Evicted != 0 { // 3600 are not idle yet
		t.Errorf("stats: %+v", s)
	}
	n.wantSound()
	n.pass(2 * time.Hour)
	n.Expire(n.now)
	for i := range n.table.shards {
		if c := cap(n.table.shards[i].clients); c > 64 {
			t.Errorf("shard %d keeps room for %d", i, c)
		}
	}
}

func TestFlood(t *testing.T) {
	cfg := all()
	cfg.MaxAddrs = 64 * 100
	n := newRelay(t, cfg)
	victim, marked := addr("18.0.0.1"), addr("18.0.0.2")
	n.connect(victim, 101-62) // has connections
	for _, c := range n.connect(marked, 40) {
		c.Close(n.now)
	}
	for i := range 200_000 {
		c, ok := n.Connect(flood(i), n.now)
		if !ok {
			t.Fatal("a new address is refused")
		}
		c.Close(n.now)
	}
	n.wantSound()
	s := n.Stats()
	if s.Addrs != cfg.MaxAddrs || s.Untracked != 0 || s.Evicted != 200_002-uint64(cfg.MaxAddrs) {
		t.Errorf("stats: %+v", s)
	}
	n.wantRefused(marked, "a mark survives those without")
	if shard, k := n.table.shard(victim); shard.find(k) == nil || shard.find(k).conns != 39 {
		t.Error("an address with connections is forgotten")
	}

	// All keep their connections: what comes then is let in and not counted.
	var conns []*Conn
	for i := range 20_000 {
		c, ok := n.Connect(flood(1e6+i), n.now)
		if !ok {
			t.Fatal("a new address is refused")
		}
		conns = append(conns, c)
	}
	s = n.Stats()
	if s.Addrs != cfg.MaxAddrs || s.Untracked < 20_000-uint64(cfg.MaxAddrs) {
		t.Errorf("stats: %+v", s)
	}
	for _, c := range conns {
		c.Close(n.now)
	}
	n.wantSound()
	n.connect(addr("18.0.0.3"), 1)
	if got := n.Stats(); got.Untracked != s.Untracked {
		t.Error("an address is not counted although there is room")
	}
}

// TestAgainstModel lets chance do things, and compares the numbers of connections.
func TestAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	n := newRelay(t, Config{})
	open := map[netip.Addr][]*Conn{}
	for step := range 200_000 {
		a := flood(rng.IntN(3000))
		switch conns := open[a]; {
		case rng.IntN(3) > 0 && len(conns) > 0:
			i := rng.IntN(len(conns))
			conns[i].Close(n.now)
			open[a] = append(conns[:i], conns[i+1:]...)
		default:
			open[a] = append(conns, n.connect(a, 1)...)
		}
		if rng.IntN(20) == 0 {
			n.pass(time.Duration(rng.IntN(2000)) * time.Second)
		}
		if step%10_000 == 0 {
			n.Expire(n.now)
			n.wantSound()
			for a, conns := range open {
				s, k := n.table.shard(a)
				if c := s.find(k); c == nil && len(conns) > 0 || c != nil && int(c.conns) != len(conns) {
					t.Fatalf("%v has %d connections, the table has %+v", a, len(conns), c)
				}
			}
		}
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	cfg := all()
	cfg.MaxAddrs = 640
	n := newRelay(t, cfg)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 5))
			var b StreamBucket
			for i := range 5000 {
				now := n.now.Add(time.Duration(i) * time.Second)
				a := flood(rng.IntN(2000))
				c, ok := n.Connect(a, now)
				n.Create(a, now)
				n.QueueFull(a, true, now)
				n.Stream(&b, now)
				n.RefuseRendezvous()
				switch i % 1000 {
				case 0:
					n.SetParams(everything)
				case 250:
					n.SetConfig(cfg)
				case 500:
					n.Expire(now)
				case 750:
					n.Stats()
				}
				if ok {
					c.Close(now)
				}
			}
		})
	}
	wg.Wait()
	n.wantSound()
	n.Expire(n.now.Add(1000 * time.Hour))
	if s := n.Stats(); s.Addrs != 0 {
		t.Errorf("%d addresses are left", s.Addrs)
	}
}

func BenchmarkCreate(b *testing.B) {
	for _, bm := range []struct {
		name  string
		addrs int
	}{{"one", 1}, {"full", defaultMaxAddrs}} {
		b.Run(bm.name, func(b *testing.B) {
			d := New(all(), epoch)
			addrs := make([]netip.Addr, bm.addrs)
			for i := range addrs {
				addrs[i] = flood(i)
				d.Connect(addrs[i], epoch)
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(len(addrs)); pb.Next(); i++ {
					d.Create(addrs[i%len(addrs)], epoch)
				}
			})
		})
	}
}

func BenchmarkConnect(b *testing.B) {
	for _, bm := range []struct {
		name  string
		addrs int
	}{{"known", 1000}, {"flood", 1 << 30}} {
		b.Run(bm.name, func(b *testing.B) {
			d := New(all(), epoch)
			now := epoch
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				now = now.Add(time.Millisecond)
				if c, ok := d.Connect(flood(i%bm.addrs), now); ok {
					c.Close(now)
				}
			}
		})
	}
}

func BenchmarkStream(b *testing.B) {
	d := New(all(), epoch)
	var bucket StreamBucket
	b.ReportAllocs()
	for b.Loop() {
		d.Stream(&bucket, epoch)
	}
}

// TestAllocs: CREATE cells and streams cost no memory.
func TestAllocs(t *testing.T) {
	n := newRelay(t, all())
	a := addr("2001:db8::1")
	n.connect(a, 3)
	var b StreamBucket
	if got := testing.AllocsPerRun(1000, func() { n.Create(a, n.now); n.Stream(&b, n.now); n.QueueFull(a, true, n.now) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
