package congestion

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// cellTag is the tag of the nth cell of a test.
func cellTag(n int) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, maxTagLen-8), uint64(n))
}

// send sends n cells, of which the first is the cell numbered from.
func send(t *testing.T, c *Control, from, n int) {
	t.Helper()
	for i := range n {
		if c.CanSend() == 0 {
			t.Fatalf("window closed after %d of %d cells", i, n)
		}
		c.OnSent(cellTag(from+i), 0)
	}
}

func mustPanic(t *testing.T, name string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", name)
		}
	}()
	f()
}

// https://spec.torproject.org/tor-spec/flow-control.html
func TestFixedWindow(t *testing.T) {
	for _, tt := range []struct {
		name               string
		circWindow, window int
	}{
		{"default", 1000, 1000},
		{"least", 100, 100},
		{"no multiple of the increment", 150, 150},
		{"below the bounds", -1, 100},
		{"above the bounds", 1 << 30, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := NewFixed(tt.circWindow)
			if c.Algorithm() != Fixed {
				t.Errorf("algorithm %d", c.Algorithm())
			}
			send(t, &c, 1, tt.window)
			if c.CanSend() != 0 {
				t.Errorf("%d more cells may be sent after %d", c.CanSend(), tt.window)
			}
			for n := 100; n <= tt.window; n += 100 {
				if err := c.OnSendme(1, cellTag(n), 1, 0, false); err != nil || c.CanSend() != n {
					t.Errorf("SENDME for cell %d: error %v, %d may be sent, want %d", n, err, c.CanSend(), n)
				}
			}
			if err := c.OnSendme(0, nil, 0, 0, false); !errors.Is(err, ErrUnexpected) {
				t.Errorf("one SENDME too many: %v", err)
			}
		})
	}
}

func TestSendmeChecks(t *testing.T) {
	const sent = 250
	for _, tt := range []struct {
		name      string
		version   uint8
		tag       []byte
		acceptMin uint8
		want      error
	}{
		{"version 1", 1, cellTag(100), 1, nil},
		{"version 1 where 0 would do", 1, cellTag(100), 0, nil},
		{"version 0", 0, nil, 0, nil},
		{"version 0 with bytes", 0, cellTag(7), 0, nil},
		{"version 0 too old", 0, nil, 1, ErrVersion},
		{"version 2", 2, cellTag(100), 1, ErrVersion},
		{"consensus wants a version that we do not know", 1, cellTag(100), 2, ErrVersion},
		{"tag of the cell before", 1, cellTag(99), 1, ErrTag},
		{"tag of the next SENDME", 1, cellTag(200), 1, ErrTag},
		{"no tag", 1, nil, 1, ErrTag},
		{"tag of CGO's length", 1, cellTag(100)[:16], 1, ErrTag},
		{"tag with more behind", 1, append(cellTag(100), 0), 1, ErrTag},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := NewFixed(CircWindow)
			send(t, &c, 1, sent)
			err := c.OnSendme(tt.version, tt.tag, tt.acceptMin, 0, false)
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			want := CircWindow - sent
			if tt.want == nil {
				want += CircIncrement
			}
			if c.CanSend() != want {
				t.Errorf("%d cells may be sent, want %d", c.CanSend(), want)
			}
		})
	}
}

func TestSendmeTooEarly(t *testing.T) {
	c := NewFixed(CircWindow)
	send(t, &c, 1, 99)
	if err := c.OnSendme(1, cellTag(99), 1, 0, false); !errors.Is(err, ErrUnexpected) {
		t.Errorf("SENDME after 99 cells: %v", err)
	}
}

// Tags of CGO hops are 16 bytes long.
func TestShortTags(t *testing.T) {
	c := NewFixed(CircWindow)
	for range CircIncrement {
		c.OnSent(bytes.Repeat([]byte{7}, 16), 0)
	}
	if err := c.OnSendme(1, bytes.Repeat([]byte{7}, 16), 1, 0, false); err != nil {
		t.Error(err)
	}
}

func TestCircuitDeliver(t *testing.T) {
	for _, inc := range []int{CircIncrement, 31} {
		d := CircuitDeliver(inc)
		for n := 1; n <= 5000; n++ {
			due, err := d.OnReceived()
			if err != nil || due != (n%inc == 0) {
				t.Fatalf("increment %d, cell %d: due %v, error %v", inc, n, due, err)
			}
			if due {
				d.OnSendmeSent()
			}
		}
	}
}

// A stream's SENDMEs may wait. The window then runs down to nothing, and a sender that goes on breaks the protocol.
func TestStreamDeliver(t *testing.T) {
	d := StreamDeliver()
	for n := 1; n <= StreamWindowStart; n++ {
		if due, err := d.OnReceived(); err != nil || due != (n >= StreamIncrement) {
			t.Fatalf("cell %d: due %v, error %v", n, due, err)
		}
	}
	if _, err := d.OnReceived(); !errors.Is(err, ErrWindow) {
		t.Errorf("cell beyond the window: %v", err)
	}
	for n := 0; d.Due(); n++ {
		if n == StreamWindowStart/StreamIncrement {
			t.Fatal("too many SENDMEs are due")
		}
		d.OnSendmeSent()
	}
	if d.window != StreamWindowStart {
		t.Errorf("window %d after all SENDMEs", d.window)
	}
}

func TestStreamWindow(t *testing.T) {
	w := NewStreamWindow()
	if err := w.OnSendme(); !errors.Is(err, ErrUnexpected) {
		t.Errorf("SENDME before any cell: %v", err)
	}
	w.Take(StreamIncrement - 1)
	if err := w.OnSendme(); !errors.Is(err, ErrUnexpected) {
		t.Errorf("SENDME one cell early: %v", err)
	}
	w.Take(1)
	if err := w.OnSendme(); err != nil || w.CanSend() != StreamWindowStart {
		t.Errorf("SENDME: error %v, window %d", err, w.CanSend())
	}
	if n := w.Take(StreamWindowStart + 1); n != StreamWindowStart || w.CanSend() != 0 {
		t.Errorf("took %d cells of a whole window, %d are left", n, w.CanSend())
	}
	if w.GiveBack(7); w.CanSend() != 7 {
		t.Errorf("window %d after 7 cells were given back", w.CanSend())
	}
	if w.GiveBack(StreamWindowStart); w.CanSend() != StreamWindowStart {
		t.Errorf("window %d after too many cells were given back", w.CanSend())
	}
}

func TestMisusePanics(t *testing.T) {
	mustPanic(t, "Control.OnSent", func() {
		c := NewFixed(CircWindowMin)
		for range CircWindowMin + 1 {
			c.OnSent(nil, 0)
		}
	})
	mustPanic(t, "tag too long", func() {
		c := NewFixed(CircWindowMin)
		for range CircWindowMin {
			c.OnSent(make([]byte, maxTagLen+1), 0)
		}
	})
	mustPanic(t, "Deliver.OnSendmeSent", func() {
		d := CircuitDeliver(CircIncrement)
		d.OnSendmeSent()
	})
}

func TestNoAllocations(t *testing.T) {
	c, d, tag := NewFixed(CircWindow), CircuitDeliver(CircIncrement), cellTag(1)
	if n := testing.AllocsPerRun(1000, func() { oneCell(&c, &d, tag) }); n != 0 {
		t.Errorf("%v allocations per cell", n)
	}
}

// oneCell sends a cell, receives it, and acknowledges it if that is due.
func oneCell(c *Control, d *Deliver, tag []byte) {
	c.OnSent(tag, 0)
	due, err := d.OnReceived()
	if err == nil && due {
		d.OnSendmeSent()
		err = c.OnSendme(1, tag, 1, 0, false)
	}
	if err != nil {
		panic(err)
	}
}

func BenchmarkCell(b *testing.B) {
	c, d, tag := NewFixed(CircWindow), CircuitDeliver(CircIncrement), cellTag(1)
	b.ReportAllocs()
	for b.Loop() {
		oneCell(&c, &d, tag)
	}
}
