package simnet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
)

// In an hour of a healthy network nothing goes wrong.
func TestHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simnet.Config{Authorities: 3, Relays: 2, Exits: 2, Clients: 1, Link: memnet.Link{Latency: 20 * time.Millisecond}})
		for hour := range 3 {
			w.until(time.Duration(hour)*time.Hour + 5*time.Minute)
			w.wantConsensus(3, w.Nodes(simnet.Authority)...)
		}
		w.wantService("all the time", 0)
	})
}
