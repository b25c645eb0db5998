package simnet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
)

func TestDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simnet.Config{Authorities: 5, Relays: 20, Exits: 10, Clients: 10, Link: memnet.Link{Latency: 20 * time.Millisecond}})
		for hour := range 24 {
			w.until(time.Duration(hour)*time.Hour + 5*time.Minute)
			w.wantConsensus(5, w.Nodes(simnet.Authority)...)
		}
		w.wantService("all the time", 0)
	})
}
