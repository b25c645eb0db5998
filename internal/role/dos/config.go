package dos

import (
	"math"
	"time"

	"github.com/tropea-net/tropea/internal/wire/params"
)

// Config is what an operator may choose. The zero Config leaves all to the consensus; so does each number that is 0.
type Config struct {
	Circuits struct { // DoSCircuitCreation*
		Enabled        Switch
		MinConnections int // from how many connections of an address on its circuits count
		Rate, Burst    int // per second; at once
		Defense        int
		Period         time.Duration // how long, at least
	}
	Connections struct { // DoSConnection*
		Enabled       Switch
		MaxConcurrent int // of an address; one more is let in, as by C tor
		Rate, Burst   int // DoSConnectionConnectRate and so on: per second; at once
		Defense       int
		Period        time.Duration // how long, at least
	}
	Streams struct { // DoSStreamCreation*
		Enabled     Switch
		Rate, Burst int // per second; at once
		Defense     int
	}
	RefuseSingleHop Switch // DoSRefuseSingleHopClientRendezvous

	// MaxAddrs is how many addresses are remembered, at some 110 bytes each; 0 is 262144. It should be well above the number of
	// connections that the relay can have.
	MaxAddrs int
}

// Switch is a choice that can be left to the consensus.
type Switch uint8

// The switches.
const (
	Auto Switch = iota
	Off
	On
)

// The types of defences, for Config and consensus. Others mean none.
const (
	defenseNone   = 1 // only count
	defenseRefuse = 2
	defenseClose  = 3 // of streams: close the circuit
)

const inf = math.MaxInt32

// The consensus parameters. https://spec.torproject.org/param-spec.html
var (
	circEnabled = params.Param{Name: "DoSCircuitCreationEnabled", Default: 0, Min: 0, Max: 1}
	circMinConn = params.Param{Name: "DoSCircuitCreationMinConnections", Default: 3, Min: 1, Max: inf}
	circRate    = params.Param{Name: "DoSCircuitCreationRate", Default: 3, Min: 1, Max: inf}
	circBurst   = params.Param{Name: "DoSCircuitCreationBurst", Default: 90, Min: 1, Max: inf}
	circDefense = params.Param{Name: "DoSCircuitCreationDefenseType", Default: defenseRefuse, Min: defenseNone, Max: defenseRefuse}
	circPeriod  = params.Param{Name: "DoSCircuitCreationDefenseTimePeriod", Default: 60 * 60, Min: 0, Max: inf}
	circMaxOutq = params.Param{Name: "dos_num_circ_max_outq", Default: 3, Min: 0, Max: inf}

	connEnabled = params.Param{Name: "DoSConnectionEnabled", Default: 0, Min: 0, Max: 1}
	connMax     = params.Param{Name: "DoSConnectionMaxConcurrentCount", Default: 100, Min: 1, Max: inf}
	connRate    = params.Param{Name: "DoSConnectionConnectRate", Default: 20, Min: 1, Max: inf}
	connBurst   = params.Param{Name: "DoSConnectionConnectBurst", Default: 40, Min: 1, Max: inf}
	connDefense = params.Param{Name: "DoSConnectionDefenseType", Default: defenseRefuse, Min: defenseNone, Max: defenseRefuse}
	connPeriod  = params.Param{Name: "DoSConnectionConnectDefenseTimePeriod", Default: 24 * 60 * 60, Min: 10, Max: inf}

	streamEnabled = params.Param{Name: "DoSStreamCreationEnabled", Default: 0, Min: 0, Max: 1}
	streamRate    = params.Param{Name: "DoSStreamCreationRate", Default: 100, Min: 1, Max: inf}
	streamBurst   = params.Param{Name: "DoSStreamCreationBurst", Default: 300, Min: 1, Max: inf}
	streamDefense = params.Param{Name: "DoSStreamCreationDefenseType", Default: defenseRefuse, Min: defenseNone, Max: defenseClose}

	singleHopRefuse = params.Param{Name: "DoSRefuseSingleHopClientRendezvous", Default: 0, Min: 0, Max: 1}
)

// limits are Config and consensus together. They do not change once made.
type limits struct {
	circuits struct {
		enabled  bool
		minConns uint32
		rate     rate
		defense  int
		period   uint32 // seconds
		maxOutq  uint32 // 0: full queues do not matter
	}
	conns struct {
		enabled bool
		max     uint32
		rate    rate
		defense int
		period  uint32 // seconds
	}
	streams struct {
		enabled bool
		rate    rate
		defense int
	}
	refuseSingleHop bool
}

// newLimits lets what cfg has override the consensus.
func newLimits(cfg *Config, list params.List) *limits {
	enabled := func(s Switch, p params.Param) bool {
		if s == Auto {
			return list.Of(p) != 0
		}
		return s == On
	}
	number := func(n int, p params.Param) uint32 {
		if n > 0 {
			return uint32(min(n, inf))
		}
		return uint32(list.Of(p))
	}
	seconds := func(d time.Duration, p params.Param) uint32 { return number(int(math.Ceil(d.Seconds())), p) }

	l := new(limits)
	c := &l.circuits
	c.enabled = enabled(cfg.Circuits.Enabled, circEnabled)
	c.minConns = number(cfg.Circuits.MinConnections, circMinConn)
	c.rate = rate{number(cfg.Circuits.Rate, circRate), number(cfg.Circuits.Burst, circBurst)}
	c.defense = int(number(cfg.Circuits.Defense, circDefense))
	c.period = seconds(cfg.Circuits.Period, circPeriod)
	c.maxOutq = uint32(list.Of(circMaxOutq))

	n := &l.conns
	n.enabled = enabled(cfg.Connections.Enabled, connEnabled)
	n.max = number(cfg.Connections.MaxConcurrent, connMax)
	n.rate = rate{number(cfg.Connections.Rate, connRate), number(cfg.Connections.Burst, connBurst)}
	n.defense = int(number(cfg.Connections.Defense, connDefense))
	n.period = seconds(cfg.Connections.Period, connPeriod)

	s := &l.streams
	s.enabled = enabled(cfg.Streams.Enabled, streamEnabled)
	s.rate = rate{number(cfg.Streams.Rate, streamRate), number(cfg.Streams.Burst, streamBurst)}
	s.defense = int(number(cfg.Streams.Defense, streamDefense))

	l.refuseSingleHop = enabled(cfg.RefuseSingleHop, singleHopRefuse)
	return l
}
