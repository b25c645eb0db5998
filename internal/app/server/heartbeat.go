package server

import (
	"context"
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// heartbeat tells operators now and then that the relay lives, in the way of C tor, which monitors look for.
func (s *Server) heartbeat(now time.Time) {
	notice := func(format string, args ...any) {
		s.log.Log(context.Background(), safelog.LevelNotice, fmt.Sprintf("Heartbeat: "+format, args...))
	}
	links, ours := s.links.Links(), 0
	for _, l := range links {
		if l.Initiated() {
			ours++
		}
	}
	notice("%s %d links were made by others, and %d by this relay.", Beat(now.Sub(s.started), s.links), len(links)-ours, ours)
	if start, _, end := s.account.Interval(); !start.IsZero() {
		r, w := s.account.Bytes()
		notice("Accounting enabled. Sent: %s, Received: %s, Used: %s / %s. The current accounting interval ends on %s, in %s.",
			bytesText(w), bytesText(r), bytesText(s.account.Used()), bytesText(s.cfg.Accounting.Max), end.Format(time.DateTime), uptime(end.Sub(now)))
	}
	s.log.Log(context.Background(), safelog.LevelNotice, s.dos.Stats().Heartbeat(s.ends.intro.Rejected()))
	s.dos.Expire(now)
}

// Beat says for how long a node has run, and what it has done.
func Beat(since time.Duration, registry *link.Registry) string {
	circuits := 0
	for _, l := range registry.Links() {
		circuits += l.Circuits()
	}
	v4, v6 := registry.Bytes()
	return fmt.Sprintf("Tor's uptime is %s, with %d circuits open. I've sent %s and received %s.",
		uptime(since), circuits, bytesText(v4.Written+v6.Written), bytesText(v4.Read+v6.Read))
}

// uptime is a time as heartbeats have it: "6:00 hours", or with days before it.
func uptime(d time.Duration) string {
	d = max(d, 0)
	days, hours, minutes := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60
	switch days {
	case 0:
		return fmt.Sprintf("%d:%02d hours", hours, minutes)
	case 1:
		return fmt.Sprintf("1 day %d:%02d hours", hours, minutes)
	}
	return fmt.Sprintf("%d days %d:%02d hours", days, hours, minutes)
}

func bytesText(n uint64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%d kB", n>>10)
	case n < 1<<30:
		return fmt.Sprintf("%.2f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GB", float64(n)/(1<<30))
}
