package dos

import (
	"fmt"
	"strings"
)

// Stats are what has happened since the start, as C tor's heartbeat and metrics (relay_dos_total) count it, and which
// defences are on at the moment.
type Stats struct {
	CircuitsEnabled    bool
	CircuitsRefused    uint64 // CREATE cells of marked addresses
	AddrsMarked        uint64 // for too many circuits
	AddrsMarkedByQueue uint64
	FullQueues         uint64 // circuits closed because a queue was full
	FullOutQueues      uint64 // of these, because of the queue towards the exit

	ConnectionsEnabled bool
	ConnsOverMax       uint64 // refused since the address had too many at a time
	ConnsOverRate      uint64 // refused since the address had made too many in a short time

	StreamsEnabled bool
	StreamsRefused uint64

	SingleHopEnabled bool
	SingleHopRefused uint64

	Addrs     int    // in the table
	Evicted   uint64 // addresses forgotten early, since the table was full
	Untracked uint64 // connections that did not count, since the table was full of addresses with connections
}

// Stats returns the counts.
func (d *DoS) Stats() Stats {
	l, c := d.limits.Load(), &d.counts
	s := Stats{
		CircuitsEnabled: l.circuits.enabled, CircuitsRefused: c.circuitsRefused.Load(),
		AddrsMarked: c.addrsMarked.Load(), AddrsMarkedByQueue: c.addrsMarkedByQueue.Load(),
		FullQueues: c.fullQueues.Load(), FullOutQueues: c.fullOutQueues.Load(),
		ConnectionsEnabled: l.conns.enabled, ConnsOverMax: c.connsOverMax.Load(), ConnsOverRate: c.connsOverRate.Load(),
		StreamsEnabled: l.streams.enabled, StreamsRefused: c.streamsRefused.Load(),
		SingleHopEnabled: l.refuseSingleHop, SingleHopRefused: c.singleHopRefused.Load(),
		Untracked: c.untracked.Load(),
	}
	for i := range d.table.shards {
		shard := &d.table.shards[i]
		shard.mu.Lock()
		s.Addrs += len(shard.clients)
		s.Evicted += shard.evicted
		shard.mu.Unlock()
	}
	return s
}

// Heartbeat returns the line that C tor logs at each heartbeat (dos_log_heartbeat), which operators' scripts look for.
// introduce2Refused is what the introduction points here have refused.
func (s Stats) Heartbeat(introduce2Refused uint64) string {
	parts := []string{fmt.Sprintf("%d circuits killed with too many cells", s.FullQueues)}
	add := func(enabled bool, option, format string, counts ...any) {
		if !enabled {
			parts = append(parts, "["+option+" disabled]")
			return
		}
		parts = append(parts, fmt.Sprintf(format, counts...))
	}
	add(s.CircuitsEnabled, "DoSCircuitCreationEnabled", "%d circuits rejected, %d marked addresses, %d marked addresses for max queue",
		s.CircuitsRefused, s.AddrsMarked, s.AddrsMarkedByQueue)
	add(s.ConnectionsEnabled, "DoSConnectionEnabled", "%d same address concurrent connections rejected, %d connections rejected",
		s.ConnsOverMax, s.ConnsOverRate)
	add(s.SingleHopEnabled, "DoSRefuseSingleHopClientRendezvous", "%d single hop clients refused", s.SingleHopRefused)
	add(s.StreamsEnabled, "DoSStreamCreationEnabled", "%d stream rejected", s.StreamsRefused)
	parts = append(parts, fmt.Sprintf("%d INTRODUCE2 rejected", introduce2Refused))
	return "Heartbeat: DoS mitigation since startup: " + strings.Join(parts, ", ") + "."
}
