package congestion

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzControl plays a random order of cells and of SENDMEs, right and wrong, against a plain model: the list of all
// cells sent.
func FuzzControl(f *testing.F) {
	f.Add(1000, []byte{255, 255, 255, 250, 0, 0, 1})
	f.Add(150, []byte{150, 0, 0, 255, 2})
	f.Add(100, []byte{100, 3, 0, 99, 99, 1})
	f.Fuzz(func(t *testing.T, circWindow int, events []byte) {
		c := NewFixed(circWindow)
		limit := min(max(circWindow, CircWindowMin), CircWindowMax)
		sent, acked := 0, 0
		for _, ev := range events {
			switch ev {
			case 0, 1, 2, 3: // a SENDME: with its tag, of version 0, with another cell's tag, of a bad version
				version, tag, acceptMin := uint8(1), cellTag(acked+CircIncrement), uint8(0)
				want := error(nil)
				if sent-acked < CircIncrement {
					want = ErrUnexpected
				}
				switch {
				case ev == 1:
					version, tag = 0, nil
				case ev == 2:
					tag = cellTag(acked + CircIncrement - 1)
					if want == nil {
						want = ErrTag
					}
				case ev == 3:
					acceptMin, want = 2, ErrVersion
				}
				err := c.OnSendme(version, tag, acceptMin, 0, false)
				if !errors.Is(err, want) {
					t.Fatalf("%d sent, %d acknowledged, event %d: error %v, want %v", sent, acked, ev, err, want)
				}
				if err != nil {
					return // the circuit is closed
				}
				acked += CircIncrement
			default:
				for range min(int(ev), c.CanSend()) {
					sent++
					c.OnSent(cellTag(sent), 0)
				}
			}
			if got, want := c.CanSend(), limit-(sent-acked); got != want {
				t.Fatalf("%d sent, %d acknowledged: %d may be sent, want %d", sent, acked, got, want)
			}
			if int(c.marks.count) != (sent-acked)/CircIncrement {
				t.Fatalf("%d sent, %d acknowledged: %d tags", sent, acked, c.marks.count)
			}
		}
	})
}

// FuzzStream connects the two ends of a stream by a network that delays at will. Neither may ever see a mistake, and no
// order of events may stop the data for good.
func FuzzStream(f *testing.F) {
	f.Add([]byte("ssssrrrraaaassss"))
	f.Add(bytes.Repeat([]byte("s"), 600))
	f.Fuzz(func(t *testing.T, events []byte) {
		w, d := NewStreamWindow(), StreamDeliver()
		cells, sendmes := 0, 0 // on the way
		step := func(ev byte) {
			switch {
			case ev%4 == 0 && w.CanSend() > 0:
				cells += w.Take(1)
			case ev%4 == 1 && cells > 0:
				cells--
				if _, err := d.OnReceived(); err != nil {
					t.Fatal(err)
				}
			case ev%4 == 2 && d.Due():
				d.OnSendmeSent()
				sendmes++
			case ev%4 == 3 && sendmes > 0:
				sendmes--
				if err := w.OnSendme(); err != nil {
					t.Fatal(err)
				}
			}
			if w.CanSend()+cells+sendmes*StreamIncrement+(StreamWindowStart-d.window) != StreamWindowStart {
				t.Fatalf("window %d, cells %d, SENDMEs %d and deliver window %d do not add up", w.CanSend(), cells, sendmes, d.window)
			}
		}
		for _, ev := range events {
			step(ev)
		}
		for cells > 0 || sendmes > 0 || d.Due() {
			step(1)
			step(2)
			step(3)
		}
		if w.CanSend() <= StreamWindowStart-StreamIncrement {
			t.Fatalf("window %d when all has arrived", w.CanSend())
		}
	})
}
