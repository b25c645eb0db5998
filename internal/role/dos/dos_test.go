package dos

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/params"
)

var epoch = time.Date(2026, 5, 10, 12, 0, 0, 0, time.UTC)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// all switches everything on.
func all() (cfg Config) {
	cfg.Circuits.Enabled, cfg.Connections.Enabled, cfg.Streams.Enabled, cfg.RefuseSingleHop = On, On, On, On
	return cfg
}

// relay is a defence under test, with its clock.
type relay struct {
	*DoS
	t   *testing.T
	now time.Time
}

func newRelay(t *testing.T, cfg Config) *relay { return &relay{New(cfg, epoch), t, epoch} }

func (n *relay) pass(d time.Duration) { n.now = n.now.Add(d) }

// connect makes so many connections, which must be taken.
func (n *relay) connect(a netip.Addr, count int) (conns []*Conn) {
	n.t.Helper()
	for i := range count {
		c, ok := n.Connect(a, n.now)
		if !ok {
			n.t.Fatalf("connection %d of %d is refused", i+1, count)
		}
		conns = append(conns, c)
	}
	return conns
}

func (n *relay) wantRefused(a netip.Addr, what string) {
	n.t.Helper()
	if _, ok := n.Connect(a, n.now); ok {
		n.t.Fatalf("%s: a connection is taken", what)
	}
}

// create sends so many CREATE cells and returns how many are taken.
func (n *relay) create(a netip.Addr, count int) (taken int) {
	for range count {
		if n.Create(a, n.now) {
			taken++
		}
	}
	return taken
}

func (n *relay) wantCreated(a netip.Addr, count, want int, what string) {
	n.t.Helper()
	if got := n.create(a, count); got != want {
		n.t.Fatalf("%s: %d of %d CREATEs are taken, want %d", what, got, count, want)
	}
}

func TestConcurrentConnections(t *testing.T) {
	n := newRelay(t, all())
	client, other := addr("18.0.0.1"), addr("18.0.0.2")
	var conns []*Conn
	for range 101 { // C tor refuses what would be the 102nd
		conns = append(conns, n.connect(client, 1)...)
		n.pass(time.Second) // so that the rate does not matter
	}
	n.wantRefused(client, "102nd")
	n.wantRefused(addr("::ffff:18.0.0.1"), "the same address in IPv6")
	n.connect(other, 1)
	conns[0].Close(n.now)
	conns[0].Close(n.now)
	n.connect(client, 1)
	n.wantRefused(client, "102nd again")
	if s := n.Stats(); s.ConnsOverMax != 3 || s.ConnsOverRate != 0 || s.Addrs != 2 {
		t.Errorf("stats: %+v", s)
	}
}

func TestConnectRate(t *testing.T) {
	n := newRelay(t, all())
	client := addr("18.0.0.1")
	conns := n.connect(client, 40)
	n.wantRefused(client, "41st at once")
	for _, c := range conns {
		c.Close(n.now)
	}
	n.pass(12 * time.Hour)
	n.wantRefused(client, "after 12 hours")
	n.pass(12 * time.Hour)
	n.wantRefused(client, "after 24 hours")
	n.pass(13 * time.Hour)
	n.connect(client, 39)
	if s := n.Stats(); s.ConnsOverRate != 3 || s.ConnsOverMax != 0 {
		t.Errorf("stats: %+v", s)
	}

	// 20 a second are fine.
	n = newRelay(t, all())
	for range 5 {
		for _, c := range n.connect(client, 20) {
			c.Close(n.now)
		}
		n.pass(time.Second)
	}
	// From 40 tokens, 21 a second last for 20 seconds.
	for i := range 20 {
		for _, c := range n.connect(client, 21) {
			c.Close(n.now)
		}
		if i < 19 {
			n.pass(time.Second)
		}
	}
	n.wantRefused(client, "after 21 a second")
}

func TestCircuits(t *testing.T) {
	client := addr("18.0.0.1")
	n := newRelay(t, all())
	n.wantCreated(client, 1000, 1000, "without a connection")
	conns := n.connect(client, 2)
	n.wantCreated(client, 1000, 1000, "with two connections")
	n.pass(30 * time.Second) // 90 tokens
	conns = append(conns, n.connect(client, 1)...)
	n.wantCreated(client, 90, 89, "the 90th takes the last token")
	n.wantCreated(addr("18.0.0.2"), 10, 10, "of another address")
	n.pass(3599 * time.Second)
	n.wantCreated(client, 1, 0, "within the hour")
	n.pass(1801 * time.Second)
	n.wantCreated(client, 89, 89, "after an hour and a half")
	if s := n.Stats(); s.CircuitsRefused != 2 || s.AddrsMarked != 1 {
		t.Errorf("stats: %+v", s)
	}
	n.wantCreated(client, 1, 0, "marked again")

	// A mark becomes longer if the client goes on, and a client that closes its connections stays marked.
	for range 10 {
		n.pass(50 * time.Minute)
		n.wantCreated(client, 91, 0, "while it goes on")
	}
	for _, c := range conns {
		c.Close(n.now)
	}
	n.pass(time.Minute)
	n.connect(client, 1)
	n.wantCreated(client, 1, 0, "with a new connection")
	if s := n.Stats(); s.AddrsMarked != 1 {
		t.Errorf("an address counts %d times", s.AddrsMarked)
	}
}

func TestCircuitRefill(t *testing.T) {
	n := newRelay(t, all())
	client := addr("18.0.0.1")
	n.connect(client, 1)
	s, k := n.table.shard(client)
	want := func(tokens uint32, what string) {
		t.Helper()
		if got := s.find(k).creates.tokens; got != tokens {
			t.Fatalf("%s: %d tokens, want %d", what, got, tokens)
		}
	}
	want(0, "at first")
	n.create(client, 1)
	want(89, "after the first")
	n.create(client, 29)
	want(60, "after 30")
	n.pass(time.Second)
	n.create(client, 1)
	want(62, "a second later")
	n.pass(999 * time.Millisecond)
	n.create(client, 1)
	want(61, "within the second")
	n.create(client, 100)
	want(0, "used up")
	for _, tc := range []struct {
		what string
		now  time.Time
	}{
		{"a week later", n.now.Add(7 * 24 * time.Hour)},
		{"in 2038", time.Unix(math.MaxInt32, 0)},
		{"in 2010", time.Unix(1281533250, 0)}, // the clock went back
		{"in 1901", time.Unix(math.MinInt32, 0)},
		{"in the far future", time.Unix(math.MaxInt64/2, 0)},
		{"back", epoch.Add(time.Hour)},
	} {
		n.now = tc.now
		n.create(client, 1)
		want(89, tc.what)
		n.create(client, 100)
		want(0, tc.what)
	}
	n.pass(time.Second)
	n.create(client, 1)
	want(2, "after all this")
}

func TestQueueFull(t *testing.T) {
	client := addr("18.0.0.1")
	list := func(v int32) params.List { return params.List{{Name: "dos_num_circ_max_outq", Value: v}} }
	for _, tc := range []struct {
		name    string
		params  params.List
		full    int
		outward bool
		marked  bool
	}{
		{"two", nil, 2, true, false},
		{"three", nil, 3, true, true},
		{"inward", nil, 100, false, false},
		{"consensus says one", list(1), 1, true, true},
		{"consensus says never", list(0), 100, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := newRelay(t, all())
			n.SetParams(tc.params)
			n.QueueFull(client, tc.outward, n.now) // of an address that is not known
			n.QueueFull(netip.Addr{}, tc.outward, n.now)
			n.connect(client, 1)
			for range tc.full {
				n.QueueFull(client, tc.outward, n.now)
				n.pass(time.Hour / 2)
			}
			if n.Create(client, n.now) == tc.marked {
				t.Errorf("marked: %v", !tc.marked)
			}
			s := n.Stats()
			if s.FullQueues != uint64(tc.full)+2 || (s.FullOutQueues == s.FullQueues) != tc.outward || (s.AddrsMarkedByQueue == 1) != tc.marked {
				t.Errorf("stats: %+v", s)
			}
		})
	}

	n := newRelay(t, all())
	n.connect(client, 1)
	for range 3 + 5 { // those while it is marked do not count
		n.QueueFull(client, true, n.now)
	}
	n.pass(2 * time.Hour)
	n.QueueFull(client, true, n.now)
	n.QueueFull(client, true, n.now)
	n.wantCreated(client, 1, 1, "two after the mark")
	n.QueueFull(client, true, n.now)
	n.wantCreated(client, 1, 0, "three after the mark")
	if s := n.Stats(); s.AddrsMarkedByQueue != 1 {
		t.Errorf("an address counts %d times", s.AddrsMarkedByQueue)
	}
}

func TestStreams(t *testing.T) {
	for _, tc := range []struct {
		name    string
		defense int
		want    Action
	}{
		{"default", 0, RefuseStream}, {"none", 1, Allow}, {"refuse", 2, RefuseStream}, {"close", 3, CloseCircuit}, {"unknown", 9, Allow},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := all()
			cfg.Streams.Defense = tc.defense
			n := newRelay(t, cfg)
			var circ, other StreamBucket
			for i := range 300 {
				if got := n.Stream(&circ, n.now); got != Allow {
					t.Fatalf("stream %d: %v", i+1, got)
				}
			}
			if got := n.Stream(&circ, n.now); got != tc.want {
				t.Errorf("stream 301: got %v, want %v", got, tc.want)
			}
			if got := n.Stream(&other, n.now); got != Allow {
				t.Errorf("another circuit: %v", got)
			}
			n.pass(time.Second)
			for i := range 100 {
				if got := n.Stream(&circ, n.now); got != Allow {
					t.Fatalf("a second later, stream %d: %v", i+1, got)
				}
			}
			n.Stream(&circ, n.now)
			if s := n.Stats(); s.StreamsRefused != 2 {
				t.Errorf("refused: %d", s.StreamsRefused)
			}
		})
	}
}

// TestOnlyCount is for defences of type 1, which count what they would refuse.
func TestOnlyCount(t *testing.T) {
	cfg := all()
	cfg.Circuits.Defense, cfg.Connections.Defense = 1, 1
	n := newRelay(t, cfg)
	client := addr("18.0.0.1")
	n.connect(client, 200)
	n.wantCreated(client, 100, 100, "with defence 1")
	if s := n.Stats(); s.CircuitsRefused != 11 || s.ConnsOverRate != 160 {
		t.Errorf("stats: %+v", s)
	}
}

func TestOff(t *testing.T) {
	for name, cfg := range map[string]Config{"by the consensus": {}, "by the torrc": off()} {
		t.Run(name, func(t *testing.T) {
			n := newRelay(t, cfg)
			if name == "by the torrc" {
				n.SetParams(everything)
			}
			client := addr("18.0.0.1")
			n.connect(client, 500)
			n.wantCreated(client, 500, 500, "off")
			for range 10 {
				n.QueueFull(client, true, n.now)
			}
			n.wantCreated(client, 1, 1, "full queues")
			var b StreamBucket
			for range 1000 {
				if n.Stream(&b, n.now) != Allow {
					t.Fatal("a stream is refused")
				}
			}
			if n.RefuseRendezvous() {
				t.Error("a rendezvous is refused")
			}
			// Connections count all the same, so that it is known what is there when a consensus turns the defences on.
			n.SetConfig(all())
			n.wantRefused(client, "on")
			want := Stats{CircuitsEnabled: true, ConnectionsEnabled: true, StreamsEnabled: true, SingleHopEnabled: true,
				FullQueues: 10, FullOutQueues: 10, ConnsOverMax: 1, Addrs: 1}
			if got := n.Stats(); got != want {
				t.Errorf("stats: got %+v, want %+v", got, want)
			}
		})
	}
}

func off() (cfg Config) {
	cfg.Circuits.Enabled, cfg.Connections.Enabled, cfg.Streams.Enabled, cfg.RefuseSingleHop = Off, Off, Off, Off
	return cfg
}

// everything is a consensus that has all parameters, sorted as in a consensus.
var everything = params.List{
	{Name: "DoSCircuitCreationBurst", Value: 10},
	{Name: "DoSCircuitCreationDefenseTimePeriod", Value: 100},
	{Name: "DoSCircuitCreationDefenseType", Value: 1},
	{Name: "DoSCircuitCreationEnabled", Value: 1},
	{Name: "DoSCircuitCreationMinConnections", Value: 7},
	{Name: "DoSCircuitCreationRate", Value: 5},
	{Name: "DoSConnectionConnectBurst", Value: 11},
	{Name: "DoSConnectionConnectDefenseTimePeriod", Value: 3},
	{Name: "DoSConnectionConnectRate", Value: 6},
	{Name: "DoSConnectionDefenseType", Value: 77},
	{Name: "DoSConnectionEnabled", Value: 1},
	{Name: "DoSConnectionMaxConcurrentCount", Value: -9},
	{Name: "DoSRefuseSingleHopClientRendezvous", Value: 1},
	{Name: "DoSStreamCreationBurst", Value: 12},
	{Name: "DoSStreamCreationDefenseType", Value: 3},
	{Name: "DoSStreamCreationEnabled", Value: 1},
	{Name: "DoSStreamCreationRate", Value: 4},
	{Name: "dos_num_circ_max_outq", Value: 8},
}

func TestLimits(t *testing.T) {
	var defaults, consensus, mixed limits
	defaults.circuits.minConns, defaults.circuits.rate, defaults.circuits.defense = 3, rate{3, 90}, 2
	defaults.circuits.period, defaults.circuits.maxOutq = 3600, 3
	defaults.conns.max, defaults.conns.rate, defaults.conns.defense, defaults.conns.period = 100, rate{20, 40}, 2, 86400
	defaults.streams.rate, defaults.streams.defense = rate{100, 300}, 2

	consensus.circuits.enabled, consensus.conns.enabled, consensus.streams.enabled, consensus.refuseSingleHop = true, true, true, true
	consensus.circuits.minConns, consensus.circuits.rate, consensus.circuits.defense = 7, rate{5, 10}, 1
	consensus.circuits.period, consensus.circuits.maxOutq = 100, 8
	consensus.conns.max, consensus.conns.rate, consensus.conns.defense, consensus.conns.period = 1, rate{6, 11}, 2, 10
	consensus.streams.rate, consensus.streams.defense = rate{4, 12}, 3

	cfg := off()
	cfg.Circuits.MinConnections, cfg.Circuits.Rate, cfg.Circuits.Burst, cfg.Circuits.Defense = 70, 50, 100, 2
	cfg.Circuits.Period = 1500 * time.Millisecond
	cfg.Connections.MaxConcurrent, cfg.Connections.Rate, cfg.Connections.Defense = 5, math.MaxInt, 9
	cfg.Connections.Period = math.MaxInt64
	cfg.Streams.Burst = -5
	mixed = consensus
	mixed.circuits.enabled, mixed.conns.enabled, mixed.streams.enabled, mixed.refuseSingleHop = false, false, false, false
	mixed.circuits.minConns, mixed.circuits.rate, mixed.circuits.defense, mixed.circuits.period = 70, rate{50, 100}, 2, 2
	mixed.conns.max, mixed.conns.rate, mixed.conns.defense, mixed.conns.period = 5, rate{math.MaxInt32, 11}, 9, math.MaxInt32
	for _, tc := range []struct {
		name string
		cfg  Config
		list params.List
		want limits
	}{
		{"defaults", Config{}, nil, defaults}, {"consensus", Config{}, everything, consensus}, {"torrc over consensus", cfg, everything, mixed},
	} {
		if got := *newLimits(&tc.cfg, tc.list); got != tc.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tc.name, got, tc.want)
		}
	}
}

// TestParamsAtRun checks that a new consensus holds for what is there.
func TestParamsAtRun(t *testing.T) {
	n := newRelay(t, Config{})
	client := addr("2001:db8::1")
	n.connect(client, 8)
	n.wantCreated(client, 1000, 1000, "without a consensus")
	n.SetParams(everything)
	n.wantRefused(client, "more than one")
	n.wantCreated(client, 20, 20, "defence type 1")
	if s := n.Stats(); s.CircuitsRefused != 11 || s.AddrsMarked != 1 {
		t.Errorf("stats: %+v", s)
	}
	if !n.RefuseRendezvous() {
		t.Error("a rendezvous with a single hop is taken")
	}
	n.SetParams(nil)
	n.connect(client, 1)
	if n.RefuseRendezvous() {
		t.Error("a rendezvous is refused")
	}
}

func TestUntil(t *testing.T) {
	for _, tc := range []struct {
		now       tick
		period    uint32
		low, high tick
	}{
		{100, 3600, 3701, 100 + 3600 + 1799},
		{100, 0, 101, 101}, // C tor fails an assertion
		{100, 1, 102, 102},
		{100, 3, 104, 104},
		{100, 4, 105, 105},
		{100, 6, 107, 108},
		{math.MaxUint32 - 5, math.MaxInt32, math.MaxUint32, math.MaxUint32},
	} {
		low, high := tick(math.MaxUint32), tick(0)
		for range 20000 {
			u := until(tc.now, tc.period)
			low, high = min(low, u), max(high, u)
		}
		if low < tc.low || high > tc.high || low-tc.low > 20 || tc.high-high > 20 {
			t.Errorf("%+v: got %d to %d", tc, low, high)
		}
	}
}

func TestHeartbeat(t *testing.T) {
	for _, tc := range []struct {
		s    Stats
		want string
	}{
		{Stats{}, "Heartbeat: DoS mitigation since startup: 0 circuits killed with too many cells, [DoSCircuitCreationEnabled disabled], " +
			"[DoSConnectionEnabled disabled], [DoSRefuseSingleHopClientRendezvous disabled], [DoSStreamCreationEnabled disabled], " +
			"9 INTRODUCE2 rejected."},
		{Stats{CircuitsEnabled: true, ConnectionsEnabled: true, StreamsEnabled: true, SingleHopEnabled: true, FullQueues: 1,
			CircuitsRefused: 2, AddrsMarked: 3, AddrsMarkedByQueue: 4, ConnsOverMax: 5, ConnsOverRate: 6, SingleHopRefused: 7, StreamsRefused: 8},
			"Heartbeat: DoS mitigation since startup: 1 circuits killed with too many cells, 2 circuits rejected, 3 marked addresses, " +
				"4 marked addresses for max queue, 5 same address concurrent connections rejected, 6 connections rejected, " +
				"7 single hop clients refused, 8 stream rejected, 9 INTRODUCE2 rejected."},
	} {
		if got := tc.s.Heartbeat(9); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}
