package server

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/kit/allocs"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// meetAt gives a client and a service the hop that they have together.
func (c *raw) meetAt(service *raw) {
	c.t.Helper()
	material := make([]byte, relaycrypt.TorOneKeyLen)
	rand.Read(material)
	k, err := relaycrypt.ParseTor1(material)
	if err != nil {
		c.t.Fatal(err)
	}
	c.out.Add(k.Forward())
	c.in.Add(k.Backward())
	service.out.Add(k.Backward())
	service.in.Add(k.Forward())
}

// TestSplice sends much both ways at once between a client and a service that have met, and looks at what is counted of it.
func TestSplice(t *testing.T) {
	size := 32 << 20 // either way
	if testing.Short() || raceDetector {
		size = 2 << 20
	}
	cells := (size + relaymsg.MaxBody - 1) / relaymsg.MaxBody
	const window = 1000 // cells under way: the relay bounds what waits, and does not wait itself
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		c, s := b.mallory("198.51.100.1", nil).circuit(), b.mallory("198.51.100.2", ids[0]).circuit()
		c.wait()
		s.meet(c)
		c.meetAt(s)
		var wg sync.WaitGroup
		var arrived [2]atomic.Int64
		send := func(from *raw, i int) {
			noise := mathrand.NewChaCha8([32]byte{byte(i)})
			data := make([]byte, relaymsg.MaxBody)
			for n := range cells {
				for int64(n)-arrived[i].Load() >= window {
					from.signal()
					runtime.Gosched()
				}
				noise.Read(data)
				from.queueTo(1, cell.CmdRelay, relaymsg.Msg{Cmd: relaymsg.CmdData, Stream: 1, Body: data})
			}
			from.signal()
		}
		receive := func(to *raw, i int) {
			noise := mathrand.NewChaCha8([32]byte{byte(i)})
			want := make([]byte, relaymsg.MaxBody)
			for n := range cells {
				got := <-to.cells
				hop, _, ok := to.in.Open(got.Body, uint8(got.Cmd))
				m, err := relaymsg.V0.Decode(got.Body)
				noise.Read(want)
				if got.Cmd != cell.CmdRelay || !ok || hop != 1 || err != nil || string(m.Body) != string(want) {
					t.Errorf("cell %d of direction %d: %v, hop %d (%v), %v", n, i, got.Cmd, hop, ok, err)
					arrived[i].Store(1 << 60)
					return
				}
				arrived[i].Add(1)
			}
		}
		wg.Go(func() { send(c, 0) })
		wg.Go(func() { send(s, 1) })
		wg.Go(func() { receive(s, 0) })
		wg.Go(func() { receive(c, 1) })
		wg.Wait()
		c.wantAlive()
		s.wantAlive()
		c.close()
		s.wantDestroyed(cell.DestroyDestroyed)
		b.wantNoCircuits()
		// Both ends' DESTROYs count, too, if nothing came with them.
		if sent, n := uint64(2*cells), b.server.ends.rend.Cells(); n < sent || n > sent+2 {
			t.Errorf("%d cells were counted, of %d", n, sent)
		}
	})
}

// A joint has circuits that are joined in pairs. What comes on those of one end is thrown away at the other.
type joint struct {
	table *circuit.Table // of the link of one end at the relay, whose reader is idle
	out   *link.OutQueue // to the other end
	batch link.Batch
}

func newJoint(tb testing.TB, pairs, cells int) *joint {
	b := newBed(tb, nil)
	from, to := b.mallory("198.51.100.1", nil), b.mallory("198.51.100.2", nil)
	var circuits []*raw
	for i := range pairs {
		c, s := to.circuit(), from.circuit()
		cookie := make([]byte, 20)
		cookie[0] = byte(i)
		c.say(relaymsg.CmdEstablishRendezvous, cookie)
		<-to.cells
		s.say(relaymsg.CmdRendezvous1, cookie)
		<-to.cells
		circuits = append(circuits, s)
	}
	to.deaf.Store(true)
	j := &joint{}
	for _, l := range b.server.links.Links() {
		switch l.Peer().Addr.Addr().String() {
		case "198.51.100.1":
			j.table = l.Handler().(*circuit.Table)
		case "198.51.100.2":
			j.out = l.Out()
		}
	}
	for i := range cells {
		j.batch.Cells = append(j.batch.Cells, link.Cell{Circ: circuits[i%pairs].id, Cmd: cell.CmdRelay, Body: new([cell.BodyLen]byte)})
	}
	return j
}

// pass gives the batch to the relay, and waits while too much lies before the writer.
func (j *joint) pass() {
	j.table.Batch(&j.batch)
	for j.out.Len() > 2000 {
		runtime.Gosched()
	}
}

// A cell that goes from one circuit to another costs no allocation.
func TestSpliceAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the table belongs to the reader of its link, which is idle, but the race detector cannot know that")
	}
	j := newJoint(t, 8, 124)
	for range 200 {
		j.pass() // the pools fill
	}
	const runs = 500
	n := allocs.During(t, "circuit.(*Table).Batch", func() {
		for range runs {
			j.pass()
		}
	})
	if n != 0 {
		t.Errorf("%d allocations for %d cells", n, runs*len(j.batch.Cells))
	}
}

// BenchmarkSplice measures a cell's way from one circuit to the one it is joined with, as BenchmarkPass of role/relay does for
// a circuit that passes through.
func BenchmarkSplice(b *testing.B) {
	for _, pairs := range []int{1, 8, 100} {
		b.Run(fmt.Sprintf("%dpairs", pairs), func(b *testing.B) {
			const cells = 124
			j := newJoint(b, pairs, cells)
			b.SetBytes(cells * cell.BodyLen)
			b.ReportAllocs()
			for b.Loop() {
				j.pass()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*cells), "ns/cell")
		})
	}
}

// Circuits that meet and end at the same time, from both sides, leave nothing behind.
func TestMeetAndPart(t *testing.T) {
	b := newBed(t, nil)
	clients, services := b.mallory("198.51.100.1", nil), b.mallory("198.51.100.2", ids[0])
	for i := range 500 {
		c, s := clients.circuit(), services.circuit()
		cookie := [20]byte{byte(i), byte(i >> 8)}
		c.say(relaymsg.CmdEstablishRendezvous, cookie[:])
		<-clients.cells
		s.relay(relaymsg.CmdRendezvous1, 0, cookie[:])
		if i%3 > 0 {
			s.send(s.id, cell.CmdRelay, make([]byte, cell.BodyLen))
			s.send(s.id, cell.CmdDestroy, []byte{0})
		}
		c.send(c.id, cell.CmdDestroy, []byte{0})
		var wg sync.WaitGroup
		wg.Go(clients.signal)
		wg.Go(services.signal)
		wg.Wait()
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		left := b.server.ends.rend.Waiting()
		for _, l := range b.server.links.Links() {
			left += l.Circuits()
		}
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d are left", left)
		}
	}
}

// A client that does not read what the service sends loses the circuit, and so does the service. Others do not notice.
func TestSpliceFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, func(cfg *Config) { cfg.MaxMemory = 1 << 30 })
		client, service := b.mallory("198.51.100.1", nil), b.mallory("198.51.100.2", nil)
		c, s := client.circuit(), service.circuit()
		c.wait()
		s.meet(c)
		good, fine := b.mallory("198.51.100.3", nil).circuit(), b.mallory("198.51.100.4", ids[1]).circuit()
		good.wait()
		fine.meet(good)
		b.net.Cut(b.host, client.host)
		for range 5000 {
			s.send(s.id, cell.CmdRelay, make([]byte, cell.BodyLen))
		}
		s.signal()
		s.wantDestroyed(cell.DestroyResourceLimit)
		if n := b.server.memory.Used()["circuit queues"]; n != 0 {
			t.Errorf("%d bytes are in queues", n)
		}
		b.net.Heal(b.host, client.host)
		synctest.Wait()
		destroyed := false
		for len(client.cells) > 0 {
			got := <-client.cells
			destroyed = destroyed || got.Cmd == cell.CmdDestroy && cell.DestroyReason(got.Body[0]) == cell.DestroyResourceLimit
		}
		if !destroyed {
			t.Error("the client has not heard of it")
		}
		good.wantAlive()
		fine.wantAlive()
		// Only clients that overflow the queue of the next relay attack it.
		if n := b.server.dos.Stats().FullQueues; n != 0 {
			t.Errorf("%d circuits count as attacks", n)
		}
	})
}
