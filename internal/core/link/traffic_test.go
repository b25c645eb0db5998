package link

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// connect returns both ends of a link between two nodes.
func connect(t *testing.T, from, to *node, id int) (l, back *Link) {
	t.Helper()
	before := to.Links()
	l, err := from.Get(t.Context(), to.target(id))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // NETINFO is under way
	for _, b := range to.Links() {
		if !slices.Contains(before, b) {
			back = b
		}
	}
	if back == nil {
		t.Fatal("no link")
	}
	return l, back
}

// A feed keeps a circuit's queue full.
type feed struct {
	CircQueue
	id   cell.CircID
	next int
}

func (f *feed) open(l *Link) {
	f.Open(l.Out(), true)
	f.SetDrainer(f)
	f.Drained()
}

func (f *feed) Drained() {
	for !f.Blocked() {
		f.Append(chunkOf(f.out, f.id, f.next, ChunkCells))
		f.next += ChunkCells
	}
	f.out.Signal()
}

// A cell of a circuit that is quiet waits for no more than a few writes, though sixteen others send all that a slow link takes;
// and these take turns.
func TestFairness(t *testing.T) {
	for _, c := range []struct {
		name      string
		bandwidth int64         // bytes a second
		most      time.Duration // that a cell takes
	}{
		{"100 Mbit/s", 100e6 / 8, 60 * time.Millisecond},
		{"10 Mbit/s", 10e6 / 8, 120 * time.Millisecond},
		{"1 Mbit/s", 1e6 / 8, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memnet.New(memnet.Link{Latency: 20 * time.Millisecond, Bandwidth: c.bandwidth})
				relay := newNode(t, n, "relay", "192.0.2.1:9001", credentials(0))
				client := newNode(t, n, "client", "192.0.2.9:1", nil)
				_, back := connect(t, client, relay, 0)

				arrived := make(chan collected, 1)
				stop := make(chan struct{})
				var mu sync.Mutex
				counts := map[cell.CircID]int{}
				var wg sync.WaitGroup
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						case got := <-client.cells:
							if got.circ == 999 {
								arrived <- got
								continue
							}
							mu.Lock()
							counts[got.circ]++
							mu.Unlock()
						}
					}
				})
				var bulk [16]feed
				for i := range bulk {
					bulk[i].id = cell.CircID(i + 1)
					bulk[i].open(back)
				}
				var quiet CircQueue
				quiet.Open(back.Out(), true)
				time.Sleep(time.Second) // the writer has seen what the link can take
				var worst time.Duration
				for range 20 {
					time.Sleep(97 * time.Millisecond)
					sent := time.Now()
					quiet.AppendCell(999, cell.CmdRelay, nil)
					<-arrived
					worst = max(worst, time.Since(sent)-20*time.Millisecond)
				}
				if worst > c.most {
					t.Errorf("a cell took %v", worst)
				}
				least, most := 1<<30, 0
				mu.Lock()
				for i := range bulk {
					least, most = min(least, counts[bulk[i].id]), max(most, counts[bulk[i].id])
				}
				mu.Unlock() // before the wait for whoever counts
				if most > least+2*ChunkCells || least == 0 {
					t.Errorf("circuits have sent %d to %d cells", least, most)
				}
				for i := range bulk {
					bulk[i].Close()
				}
				close(stop)
				wg.Wait()
				back.Close(ErrClosed)
			})
		})
	}
}

// drainCells throws away what a node gets, until the test ends.
func drainCells(t *testing.T, d *node) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-d.cells:
			case <-done:
				return
			}
		}
	})
	t.Cleanup(func() { close(done); wg.Wait() })
}

// Rates hold for all links together and for each direction, and links share them.
func TestLimits(t *testing.T) {
	const rate, burst, seconds = 20_000, 30_000, 30
	for _, c := range []struct {
		name   string
		limits Limits
		addr   string // of the relay
		want   int64  // bytes in each direction, of both clients together; 0 for no limit
	}{
		{"none", Limits{}, "192.0.2", 0},
		{"all", Limits{Rate: rate, Burst: burst}, "192.0.2", burst + seconds*rate},
		{"relayed", Limits{Rate: 1 << 30, Burst: 1 << 30, RelayRate: rate, RelayBurst: burst}, "192.0.2", burst + seconds*rate},
		{"each", Limits{PerConnRate: rate / 2, PerConnBurst: burst / 2}, "192.0.2", burst + seconds*rate},
		{"private", Limits{Rate: rate, Burst: burst}, "10.0.2", 0},
		{"private, counted", Limits{Rate: rate, Burst: burst, CountPrivate: true}, "10.0.2", burst + seconds*rate},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memnet.New(memnet.Link{Bandwidth: 100_000})
				relay := newNode(t, n, "relay", c.addr+".1:9001", credentials(0), func(cfg *Config) { cfg.Limits = c.limits })
				drainCells(t, relay)
				var ends [2]struct{ l, back *Link }
				var feeds [4]feed
				for i := range ends {
					client := newNode(t, n, []string{"one", "two"}[i], c.addr+[]string{".9:1", ".10:1"}[i], nil)
					drainCells(t, client)
					e := &ends[i]
					e.l, e.back = connect(t, client, relay, 0)
					feeds[2*i].id, feeds[2*i+1].id = 1, 2
					feeds[2*i].open(e.l)
					feeds[2*i+1].open(e.back)
				}
				var before [2]Traffic
				for i := range ends {
					before[i] = ends[i].back.Bytes()
				}
				start := time.Now()
				time.Sleep(seconds * time.Second)
				var sum Traffic
				var got [2]Traffic // meanwhile
				for i := range ends {
					b := ends[i].back.Bytes()
					sum.Read, sum.Written = sum.Read+b.Read, sum.Written+b.Written
					got[i] = Traffic{b.Read - before[i].Read, b.Written - before[i].Written}
				}
				near := func(a, b uint64) bool { return max(a, b)*9 < min(a, b)*10 }
				if !near(got[0].Read, got[1].Read) || !near(got[0].Written, got[1].Written) {
					t.Errorf("links got %+v", got)
				}
				want := c.want
				if want == 0 {
					want = 200_000 * seconds // what the network carries
				}
				for _, got := range []uint64{sum.Read, sum.Written} {
					if int64(got) > want+200_000 || int64(got) < want*9/10 {
						t.Errorf("%d bytes in %v, want %d", got, time.Since(start), want)
					}
				}
				v4, v6 := relay.Bytes()
				if counted := c.limits.CountPrivate || c.addr == "192.0.2"; counted && v4 != sum || !counted && v4 != (Traffic{}) || v6 != (Traffic{}) {
					t.Errorf("totals %+v and %+v, links have %+v", v4, v6, sum)
				}
				if r, w := relay.Waits(); (r > 0 && w > 0) != (c.want > 0 && c.limits.Rate == rate) {
					t.Errorf("waited %d and %d times", r, w)
				}
				for i := range feeds {
					feeds[i].Close()
				}
			})
		})
	}
}

// Limits change as the node runs, and a link can be closed while it waits for one.
func TestSetLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Link{Bandwidth: 100_000})
		relay := newNode(t, n, "relay", "192.0.2.1:9001", credentials(0))
		client := newNode(t, n, "client", "192.0.2.9:1", nil)
		drainCells(t, relay)
		drainCells(t, client)
		l, back := connect(t, client, relay, 0)
		feeds := [2]feed{{id: 1}, {id: 1}}
		feeds[0].open(l)
		feeds[1].open(back)
		in := func(d time.Duration) Traffic {
			before := back.Bytes()
			time.Sleep(d)
			after := back.Bytes()
			return Traffic{after.Read - before.Read, after.Written - before.Written}
		}
		for _, c := range []struct {
			limits Limits
			most   uint64
		}{
			{Limits{Rate: 10_000, Burst: 10_000}, 100_000},
			{Limits{}, 1_050_000},
			{Limits{PerConnRate: 5000, PerConnBurst: 5000}, 50_000},
			{Limits{Rate: 1 << 30, Burst: 1 << 30}, 1_050_000},
			{Limits{RelayRate: 10_000, RelayBurst: 10_000}, 100_000},
		} {
			relay.SetLimits(c.limits)
			in(20 * time.Second) // what was under way
			if got := in(10 * time.Second); got.Read > c.most+70_000 || got.Written > c.most+70_000 || got.Read < c.most/2 || got.Written < c.most/2 {
				t.Errorf("%+v: %+v", c.limits, got)
			}
		}
		back.Used() // what is our own is not relayed
		if got := in(10 * time.Second); got.Written < 500_000 {
			t.Errorf("of its own: %+v", got)
		}
		relay.SetLimits(Limits{Rate: 1, Burst: 1})
		in(time.Second)
		start := time.Now()
		back.Close(ErrClosed)
		<-relay.accepted
		if time.Since(start) != 0 || !errors.Is(back.Err(), ErrClosed) {
			t.Errorf("closed after %v: %v", time.Since(start), back.Err())
		}
		feeds[0].Close()
		feeds[1].Close()
	})
}

// A relay in the network is not held to the rate of clients, whoever else says that it is one.
func TestKnownRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Link{})
		relay := newNode(t, n, "relay", "192.0.2.1:9001", credentials(0), func(cfg *Config) {
			cfg.Limits = Limits{PerConnRate: 1000, PerConnBurst: 1000}
			cfg.KnownRelay = func(rsa [20]byte) bool { return rsa == ids[1].RSA() }
		})
		for i, limited := range []bool{1: false, 2: true} {
			if i == 0 {
				continue
			}
			other := newNode(t, n, "relay"+string(rune('0'+i)), []string{1: "192.0.2.2:9001", 2: "192.0.2.3:9001"}[i], credentials(i))
			_, back := connect(t, other, relay, 0)
			if got := back.meter.own[reading].Share() != 0; got != limited || !back.Peer().Relay {
				t.Errorf("relay %d: limited %v", i, got)
			}
		}
	})
}

// Padding is counted, and what was on links where it was on.
func TestCells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Link{})
		relay := newNode(t, n, "relay", "192.0.2.1:9001", credentials(0), func(cfg *Config) { cfg.Padding = DefaultPadding })
		client := newNode(t, n, "client", "192.0.2.9:1", nil)
		drainCells(t, relay)
		drainCells(t, client)
		l, back := connect(t, client, relay, 0)
		send := func(l *Link, cmd cell.Command, n int) {
			for range n {
				l.Out().AppendCell(0, cmd, nil)
			}
			synctest.Wait()
		}
		check := func(wantRead, wantWritten Cells) {
			t.Helper()
			if read, written := relay.Cells(); read != wantRead || written != wantWritten {
				t.Errorf("read %+v, want %+v; written %+v, want %+v", read, wantRead, written, wantWritten)
			}
		}
		// The client, whose policy is to pad not at all, has said so by PADDING_NEGOTIATE.
		check(Cells{Total: 1}, Cells{})
		send(l, cell.CmdPadding, 5)
		send(back, 99, 7)
		check(Cells{Total: 6, Padding: 5}, Cells{Total: 7})
		back.wish.Store(nil)
		send(l, cell.CmdPadding, 2)
		send(l, 99, 1)
		send(back, 99, 3)
		check(Cells{Total: 9, Padding: 7, EnabledTotal: 3, EnabledPadding: 2}, Cells{Total: 10, EnabledTotal: 3})
		back.AddUsage(UsageStreams)
		time.Sleep(10 * time.Second)
		if _, w := relay.Cells(); w.Padding == 0 || w.Padding != w.EnabledPadding || w.Total != 10+w.Padding {
			t.Errorf("written %+v", w)
		}
	})
}

// A peer that asks for circuits and reads no answer is not waited for.
func TestDestroyFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Link{})
		relay := newNode(t, n, "relay", "192.0.2.1:9001", credentials(0))
		client := newNode(t, n, "client", "192.0.2.9:1", nil)
		_, back := connect(t, client, relay, 0)
		n.Cut(relay.host, client.host)
		for i := range maxEnds + 2000 { // some are on their way
			back.Destroy(cell.CircID(i), cell.DestroyProtocol)
		}
		if err := <-relay.accepted; err != nil || !errors.Is(back.Err(), errEnds) {
			t.Errorf("the link ended with %v", back.Err())
		}
	})
}

// A conn that belongs to no link keeps to the limits as well, in both directions.
func TestMetered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Link{})
		a, b := n.Host("a", netip.MustParseAddr("192.0.2.1")), n.Host("b", netip.MustParseAddr("192.0.2.2"))
		r := NewRegistry(Config{Limits: Limits{Rate: 10_000, Burst: 10_000}})
		defer r.Close()
		server, err := b.Listen(t.Context(), "tcp", "192.0.2.2:80")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := a.Dial(t.Context(), "tcp", "192.0.2.2:80")
		if err != nil {
			t.Fatal(err)
		}
		peer, err := server.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c := r.Metered(raw, Own)
		start := time.Now()
		if n, err := c.Write(make([]byte, 60_000)); n != 60_000 || err != nil {
			t.Fatalf("wrote %d: %v", n, err)
		}
		if d := time.Since(start); d < 4*time.Second || d > 6*time.Second {
			t.Errorf("60 kB took %v to write", d)
		}
		peer.Write(make([]byte, 60_000))
		start = time.Now()
		for got := 0; got < 60_000; {
			n, err := c.Read(make([]byte, 1<<16))
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
		if d := time.Since(start); d < 4*time.Second || d > 6*time.Second {
			t.Errorf("60 kB took %v to read", d)
		}
		if v4, _ := r.Bytes(); v4 != (Traffic{60_000, 60_000}) {
			t.Errorf("%+v", v4)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Write(make([]byte, 1<<20)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Write when it is closed: %v", err)
			}
		})
		synctest.Wait()
		c.Close()
		wg.Wait()
		peer.Close()
		server.Close()
	})
}

// Addresses are private where C tor takes them for that, and families are told apart.
//
// C tor: tor_addr_is_internal
func TestFamilies(t *testing.T) {
	for _, c := range []struct {
		addr    string
		private bool
		v6      bool
	}{
		{"198.51.100.1", false, false}, {"10.1.2.3", true, false}, {"127.0.0.1", true, false}, {"0.1.2.3", true, false},
		{"100.64.0.1", true, false}, {"100.128.0.1", false, false}, {"169.254.0.1", true, false}, {"172.31.0.1", true, false},
		{"172.32.0.1", false, false}, {"192.168.0.1", true, false}, {"::ffff:192.168.0.1", true, false}, {"::ffff:198.51.100.1", false, false},
		{"2001:db8::1", false, true}, {"fc00::1", true, true}, {"fe80::1", true, true}, {"fec0::1", true, true}, {"::1", true, true}, {"::", true, true},
	} {
		var r rates
		m := newMeter(&remote{addr: c.addr}, &r, Relayed)
		m.note(reading, 5)
		m.note(writing, 7)
		var want [2]Traffic
		if !c.private {
			want[m.family] = Traffic{5, 7}
		}
		if got := [2]Traffic{r.total[0].get(), r.total[1].get()}; m.private != c.private || (m.family == 1) != c.v6 || got != want {
			t.Errorf("%s: private %v, family %d, totals %+v", c.addr, m.private, m.family, got)
		}
		if m.bytes.get() != (Traffic{5, 7}) {
			t.Errorf("%s: %+v", c.addr, m.bytes.get())
		}
	}
	if m := newMeter(&remote{}, new(rates), Own); !m.private {
		t.Error("a connection without an address is not private")
	}
}

// A remote is a connection with a remote address.
type remote struct {
	net.Conn
	addr string
}

func (e *remote) RemoteAddr() net.Addr {
	if e.addr == "" {
		return &net.UnixAddr{}
	}
	return &net.TCPAddr{IP: net.ParseIP(e.addr), Port: 1}
}

// However chunks come, the same cells leave, and in records that are full but for the last.
func TestSendRecords(t *testing.T) {
	for _, sizes := range [][]int{{1}, {31}, {1, 31}, {31, 31, 31, 31}, {8, 8, 8, 8, 8, 8}, {15, 31, 1, 31, 16, 16, 16}, {1, 1, 1, 1, 1}} {
		for _, proto := range []uint16{3, 5} {
			conn := &recorder{pieces: newPieces(nil, 1)}
			l := bareLink(cell.FramingFor(proto), conn)
			next := 0
			var chunks []*Chunk
			for _, n := range sizes {
				chunks = append(chunks, chunkOf(l.out, 7, next, n))
				next += n
			}
			if err := l.sendRecords(chunks); err != nil {
				t.Fatal(err)
			}
			got := 0
			for i, rec := range conn.records {
				if i < len(conn.records)-1 && len(rec) < directCells*l.framing.FixedLen() || len(rec) > ChunkCells*l.framing.FixedLen() {
					t.Errorf("%v: record %d has %d bytes", sizes, i, len(rec))
				}
				for len(rec) > 0 {
					c, n, err := l.framing.Next(rec)
					if err != nil || n == 0 || int(binary.BigEndian.Uint32(c.Body)) != got {
						t.Fatalf("%v: record %d, %v where cell %d is due", sizes, i, c, got)
					}
					rec = rec[n:]
					got++
				}
			}
			if got != next {
				t.Errorf("%v: %d cells left", sizes, got)
			}
		}
	}
}

// A recorder keeps what is written.
type recorder struct {
	*pieces
	records [][]byte
}

func (r *recorder) Write(p []byte) (int, error) {
	r.records = append(r.records, slices.Clone(p))
	return len(p), nil
}
