package stats

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// Stats are the statistics of a relay. Their methods are safe for concurrent use, but one of Tick and SetConfig at a time.
type Stats struct {
	cfg  atomic.Pointer[Config]
	days []*daily // in the order of the document

	bandwidth bandwidth
	overload  overload

	dirRequests dirRequests
	hidServ2    hidServ
	hidServ3    hidServ
	clients     clients
	circuits    circuits
	exitPorts   exitPorts
	links       links
	padding     padding

	mu sync.Mutex // a leaf; guards text and ended of days
}

// New begins to count, and continues the bandwidth history of a state file and the days of Config.State.
func New(cfg Config, doc *statedoc.Document, now time.Time) *Stats {
	s := new(Stats)
	s.days = s.dailies()
	s.bandwidth.init(now.Unix())
	cfg = cfg.valid()
	s.bandwidth.load(doc, now.Unix(), cfg.Log)
	s.hidServ3.v3 = true
	s.hidServ2.random, s.hidServ3.random = uniform, uniform
	s.SetParams(nil) // the defaults
	s.SetConfig(cfg, now)
	return s
}

func (c Config) valid() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// SetConfig changes what is counted. What is counted before and after goes on.
func (s *Stats) SetConfig(cfg Config, now time.Time) {
	cfg = cfg.valid()
	s.cfg.Store(&cfg)
	if cfg.Countries == nil && (!cfg.NoDirReq || cfg.Entry) {
		cfg.Log.Info("Without a GeoIP file, requests and clients are not counted by country; GeoIPFile names one.")
	}
	now = now.Round(0) // see Tick
	for _, d := range s.days {
		switch wanted := d.wanted(&cfg); {
		case wanted && d.start.IsZero():
			s.load(d)
			d.begin(now)
		case !wanted && !d.start.IsZero():
			s.end(d)
		}
	}
}

// SetParams takes the parameters of a consensus.
func (s *Stats) SetParams(list params.List) { s.overload.setParams(list) }
