package stats

import (
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// ExtraInfo returns the parts of the relay's extra-info document, in C tor's order, for extrainfo.Make.
func (s *Stats) ExtraInfo(now time.Time) (parts [][]byte) {
	cfg := s.cfg.Load()
	if cfg.NoExtraInfo {
		return nil
	}
	add := func(part []byte) {
		if len(part) > 0 {
			parts = append(parts, part)
		}
	}
	add(s.bandwidth.lines(now.Unix(), cfg.RelayRate))
	if cfg.Countries != nil {
		add(digestLine("geoip-db-digest", cfg.Countries, false))
		add(digestLine("geoip6-db-digest", cfg.Countries, true))
	}
	for _, d := range s.days {
		add(s.fresh(d, now))
	}
	if !cfg.NoOverload {
		add(s.overload.lines(now, cfg))
	}
	return parts
}

func digestLine(keyword string, c Countries, ipv6 bool) []byte {
	digest, ok := c.Digest(ipv6)
	if !ok {
		return nil
	}
	e := netdoc.NewEncoder(nil)
	e.Item(keyword).Hex(digest[:])
	return mustBytes(e)
}

// mustBytes returns lines that we have made.
func mustBytes(e *netdoc.Encoder) []byte {
	text, err := e.Bytes()
	if err != nil {
		panic("stats: " + err.Error())
	}
	return text
}
