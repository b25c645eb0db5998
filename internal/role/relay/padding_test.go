package relay_test

import (
	"bytes"
	"context"
	"io"
	mathrand "math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/padding"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
)

// padded makes a circuit whose second relay has machines.
func (w *world) padded(account *circuit.PaddingAccount) *circuit.Circuit {
	w.t.Helper()
	ctx := context.Background()
	l, err := w.client.Get(ctx, link.Target{Addrs: []netip.AddrPort{addrOf(0)}, RSA: ids[0].RSA(), HasRSA: true})
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := circuit.Create(ctx, l, w.hop(0, true), circuit.Options{Padding: account})
	for _, i := range []int{1, exitID} {
		h := w.hop(i, true)
		h.Pads = i == 1
		if err == nil {
			err = c.Extend(ctx, h)
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// Both ends are ours: what the second relay adds comes to the client, as much as it should, and data goes on beside it.
//
// https://spec.torproject.org/padding-spec/circuit-level-padding.html
func TestPadding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		account := new(circuit.PaddingAccount)
		c := w.padded(account)
		if !c.StartPadding(padding.Intro) {
			t.Fatal("not asked")
		}
		if c.Finish() {
			t.Error("closed at once")
		}
		time.Sleep(200 * time.Millisecond)
		if running, _ := c.Padded(); running || c.Err() != nil {
			t.Errorf("the machine is running: %v; %v", running, c.Err())
		}
		read, _ := w.client.Cells()
		if read.Drop < 7 || read.Drop > 9 {
			t.Errorf("%d cells of padding came", read.Drop)
		}
		if !c.Finish() {
			t.Error("not closed")
		}

		c = w.padded(account)
		s := w.connect(c)
		const size = 1 << 20
		want := make([]byte, size)
		mathrand.NewChaCha8([32]byte{1}).Read(want)
		go s.Write(want)
		c.PadRendezvous(t.Context())
		got := make([]byte, size)
		if _, err := io.ReadFull(s, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("other bytes came back (%v)", err)
		}
		time.Sleep(time.Second)
		after, written := w.client.Cells()
		if after.Drop != read.Drop+1 || written.Drop != 1 {
			t.Errorf("%d cells of padding came, %d left, want 1 each", after.Drop-read.Drop, written.Drop)
		}
		if read, _ := w.relays[1].links.Cells(); read.Drop != 1 {
			t.Errorf("%d came to the relay", read.Drop)
		}
		if read, written := w.relays[0].links.Cells(); read.Drop != 0 || written.Drop != 0 {
			t.Error("the first relay has seen padding")
		}
		c.StopPadding()
		c.PadRendezvous(t.Context())
		time.Sleep(time.Second)
		if again, _ := w.client.Cells(); again.Drop != after.Drop+1 || c.Err() != nil {
			t.Errorf("%d cells of a second machine, %v", again.Drop-after.Drop, c.Err())
		}
		c.Close()
		w.settled()
	})
}
