package circmgr

import (
	"fmt"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// A guard that tells of the end of one circuit alone, since it has lost its link to the middle, makes us leave the others
// through that middle, and talk to the guard, so that it tells of them as well.
func TestShun(t *testing.T) {
	for _, tt := range []struct {
		name   string
		reason cell.DestroyReason
		leave  bool
	}{
		{"link lost", cell.DestroyChannelClosed, true},
		{"other reason", cell.DestroyDestroyed, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, setup{}, func(b *bed) {
				const users = 12 // far more than there are middles
				var peer *fakepeer.Circuit
				var leases []Lease
				for i := range users {
					leases = append(leases, b.exit(fmt.Sprint("user", i), 80))
					b.open(leases[i])
					if i == 0 {
						peer = b.relay.Circuit()
					}
				}
				middles, created := b.middles(), b.created()
				peer.Destroy(tt.reason)
				b.wait(time.Second)
				if said := b.created() > created; said != tt.leave {
					t.Errorf("guard has heard of us: %v, want %v", said, tt.leave)
				}
				left := 0
				for i, l := range leases[1:] {
					leave := tt.leave && middles[l.Circ] == middles[leases[0].Circ]
					if leave {
						left++
					}
					if again := b.exit(fmt.Sprint("user", i+1), 80); (again.Circ != l.Circ) != leave {
						t.Errorf("user%d had circuit %d and has %d, want another: %v", i+1, l.Circ, again.Circ, leave)
					}
					if l.Tunnel.Streams() != 1 {
						t.Errorf("user%d lost a stream", i+1)
					}
				}
				if got := b.created() - created; got != left {
					t.Errorf("%d new circuits, want %d", got, left)
				}
			})
		})
	}
}

// middles returns the second hops of open circuits.
func (b *bed) middles() map[uint64]int {
	middles := make(chan map[uint64]int, 1)
	b.m.do(func(time.Time) {
		all := map[uint64]int{}
		for e := range b.m.pool {
			if e.circ != nil {
				all[e.id] = number(e.path[1])
			}
		}
		middles <- all
	})
	return <-middles
}
