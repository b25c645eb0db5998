package exit

import (
	"github.com/tropea-net/tropea/internal/role/edge"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// carry tells the client that it is connected, and carries bytes both ways until both are over.
func (f *flow) carry() {
	defer f.conn.Close()
	there := f.to.Addr().Unmap()
	if f.s.Accept(relaymsg.Connected{Addr: there, TTL: ttl}) != nil { // the client does not want it any more
		f.e.cfg.Note(Event{Kind: Refused, Port: f.to.Port(), Reason: relaymsg.EndMisc})
		return
	}
	done := Event{Kind: Closed, Port: f.to.Port(), IPv6: there.Is6()}
	f.e.cfg.Note(Event{Kind: Connected, Port: done.Port, IPv6: done.IPv6})
	edge.Carry(f.e.log, f.s, f.conn, func(n edge.Carried) {
		done.Written, done.Read = n.Written, n.Read
		f.e.cfg.Note(done)
	})
}
