package relaycrypt

import (
	"bytes"
	"crypto/sha3"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

//go:embed testdata/tor1.json
var vectorJSON []byte

const relayCmd = 3

// hexBytes is a byte string that is written in hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// circuit is a circuit with both of its ends.
type circuit struct {
	out    Outbound
	in     Inbound
	relays []*Relay
}

func newCircuit(t testing.TB, materials ...[]byte) *circuit {
	t.Helper()
	c := &circuit{}
	for _, m := range materials {
		k, err := ParseTor1(m)
		if err != nil {
			t.Fatal(err)
		}
		c.out.Add(k.Forward())
		c.in.Add(k.Backward())
		c.relays = append(c.relays, NewRelay(k))
	}
	return c
}

// threeHops makes a circuit with keys out of rnd.
func threeHops(t testing.TB, rnd *rand.ChaCha8) *circuit {
	var m [3][]byte
	for i := range m {
		m[i] = make([]byte, TorOneKeyLen)
		rnd.Read(m[i])
	}
	return newCircuit(t, m[:]...)
}

// forward sends a cell through the relays, and returns the one that recognised it, or -1.
func (c *circuit) forward(b *body) (int, Tag) {
	for i, r := range c.relays {
		if ok, tag := r.Forward(b, relayCmd); ok {
			return i, tag
		}
	}
	return -1, Tag{}
}

// backward sends a cell from a relay to the client.
func (c *circuit) backward(b *body, from int) Tag {
	tag := c.relays[from].Originate(b, relayCmd)
	for i := from - 1; i >= 0; i-- {
		c.relays[i].Backward(b, relayCmd)
	}
	return tag
}

// plain returns the body of a DATA message with contents out of rnd.
func plain(rnd *rand.ChaCha8) *body {
	b := &body{2, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0xf2}
	rnd.Read(b[11:])
	return b
}

// sameText compares bodies except for the digest, which nobody reads once a cell is recognised.
func sameText(a, b *body) bool { return [5]byte(a[:]) == [5]byte(b[:]) && bytes.Equal(a[9:], b[9:]) }

// https://spec.torproject.org/tor-spec/routing-relay-cells.html
func TestVectors(t *testing.T) {
	var v struct {
		Keys  []hexBytes `json:"hop_keys"`
		Seed  hexBytes   `json:"shake_seed"`
		Cells []struct {
			Index int
			Body  hexBytes
		}
	}
	if err := json.Unmarshal(vectorJSON, &v); err != nil {
		t.Fatal(err)
	}
	c := newCircuit(t, v.Keys[0][:72], v.Keys[1][:72], v.Keys[2][:72])
	stream := sha3.NewSHAKE256()
	stream.Write(v.Seed)
	want := map[int][]byte{}
	for _, cell := range v.Cells {
		want[cell.Index] = cell.Body
	}
	for i := range 51 {
		text := body{2, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0xf2}
		stream.Read(text[11:])
		b := text
		sent := c.out.Seal(&b, relayCmd, 2)
		if w, ok := want[i]; ok && !bytes.Equal(b[:], w) {
			t.Fatalf("cell %d: got %x, want %x", i, b, w)
		}
		delete(want, i)
		at, tag := c.forward(&b)
		if at != 2 || tag != sent || tag.Len() != 20 || !sameText(&b, &text) {
			t.Fatalf("cell %d: recognised at %d with tag %x, want 2 with tag %x", i, at, tag.Bytes(), sent.Bytes())
		}
	}
	if len(want) != 0 {
		t.Errorf("%d cells were not compared", len(want))
	}
}

// Cells of all hops mix in both directions, and some look as if they were for a hop before theirs.
func TestRoundTrip(t *testing.T) {
	rnd := rand.NewChaCha8([32]byte{1})
	c := threeHops(t, rnd)
	misleadF, misleadB := 0, 0
	for i := 0; misleadF == 0 || misleadB == 0 || i < 1000; i++ {
		hop := i % 3
		text := plain(rnd)
		b := *text
		sent := c.out.Seal(&b, relayCmd, hop)
		for r := range hop {
			if ok, _ := c.relays[r].Forward(&b, relayCmd); ok {
				t.Fatalf("cell %d for hop %d: recognised at %d", i, hop, r)
			}
			if b[1]|b[2] == 0 {
				misleadF++
			}
		}
		if ok, tag := c.relays[hop].Forward(&b, relayCmd); !ok || tag != sent || !sameText(&b, text) {
			t.Fatalf("cell %d for hop %d: recognised %v, tag %x, want %x", i, hop, ok, tag.Bytes(), sent.Bytes())
		}

		text = plain(rnd)
		b = *text
		sent = c.relays[hop].Originate(&b, relayCmd)
		for r := hop - 1; r >= 0; r-- {
			if b[1]|b[2] == 0 {
				misleadB++
			}
			c.relays[r].Backward(&b, relayCmd)
		}
		if from, tag, ok := c.in.Open(&b, relayCmd); !ok || from != hop || tag != sent || !sameText(&b, text) {
			t.Fatalf("cell %d from hop %d: got hop %d, %v, tag %x, want %x", i, hop, from, ok, tag.Bytes(), sent.Bytes())
		}
	}
}

func TestGarbled(t *testing.T) {
	rnd := rand.NewChaCha8([32]byte{2})
	for _, at := range []int{0, 1, 2, 5, 8, 9, 508} {
		c := threeHops(t, rnd)
		b := plain(rnd)
		c.out.Seal(b, relayCmd, 2)
		b[at] ^= 0x40
		if hop, _ := c.forward(b); hop != -1 {
			t.Errorf("byte %d changed: recognised at relay %d", at, hop)
		}
		b = plain(rnd)
		c.backward(b, 2)
		b[at] ^= 0x40
		if hop, tag, ok := c.in.Open(b, relayCmd); ok || hop != -1 || tag != (Tag{}) {
			t.Errorf("byte %d changed: client recognised hop %d", at, hop)
		}
	}
}

func TestUnrecognisedCellIsPassedOnUnchanged(t *testing.T) {
	rnd := rand.NewChaCha8([32]byte{3})
	c := threeHops(t, rnd)
	text := plain(rnd)
	copy(text[5:], "fake")
	b := *text
	c.out.layers[0].clientForward(&b, relayCmd) // the layer without the proof
	if ok, _ := c.relays[0].Forward(&b, relayCmd); ok || b != *text {
		t.Errorf("recognised %v, changed %v", ok, b != *text)
	}
	b = *plain(rnd)
	c.out.Seal(&b, relayCmd, 0)
	if hop, _ := c.forward(&b); hop != 0 {
		t.Errorf("the cell after it: recognised at %d, want 0", hop)
	}
}

func TestKeys(t *testing.T) {
	for _, n := range []int{0, 71, 73, 92} {
		if _, err := ParseTor1(make([]byte, n)); !errors.Is(err, ErrKeyLength) {
			t.Errorf("%d bytes: got error %v, want %v", n, err, ErrKeyLength)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a layer was made without keys")
		}
	}()
	Keys{}.Forward()
}

func TestFormat(t *testing.T) {
	c := threeHops(t, rand.NewChaCha8([32]byte{4}))
	for hop := range c.out.Hops() {
		if o, i, r := c.out.Format(hop), c.in.Format(hop), c.relays[hop].Format(); o != relaymsg.V0 || i != o || r != o {
			t.Errorf("hop %d: got formats %v, %v, %v, want all V0", hop, o, i, r)
		}
	}
	if c.in.Hops() != 3 {
		t.Errorf("got %d hops, want 3", c.in.Hops())
	}
}

func TestTag(t *testing.T) {
	a := Tag{n: 20, b: [20]byte{1, 2, 3}}
	if !a.Equal(a.Bytes()) || a.Equal(a.Bytes()[:19]) || a.Equal(append(a.Bytes(), 0)) || a.Equal(make([]byte, 20)) {
		t.Error("a tag equals itself and nothing else")
	}
}

func TestNoAllocation(t *testing.T) {
	rnd := rand.NewChaCha8([32]byte{5})
	c := threeHops(t, rnd)
	b := plain(rnd)
	for name, f := range map[string]func(){
		"Seal":       func() { c.out.Seal(b, relayCmd, 2); c.forward(b) },
		"Open":       func() { c.backward(b, 2); c.in.Open(b, relayCmd) },
		"passing by": func() { c.relays[0].Backward(b, relayCmd); c.relays[0].Forward(b, relayCmd) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations per cell", name, n)
		}
	}
}
