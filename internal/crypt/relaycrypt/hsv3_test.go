package relaycrypt

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha3"
	"errors"
	"math/rand/v2"
	"testing"
)

// meeting is a circuit of three relays, beyond which there is a service.
func meeting(t testing.TB, rnd *rand.ChaCha8) *circuit {
	t.Helper()
	c := threeHops(t, rnd)
	material := make([]byte, HSKeyLen)
	rnd.Read(material)
	k, err := ParseHS(material)
	if err != nil {
		t.Fatal(err)
	}
	c.out.Add(k.Forward())
	c.in.Add(k.Backward())
	c.relays = append(c.relays, NewRelay(k))
	return c
}

// The hop of a service is beyond all others, and cells of all of them mix.
//
// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
func TestServiceHop(t *testing.T) {
	rnd := rand.NewChaCha8([32]byte{7})
	c := meeting(t, rnd)
	for i := range 1000 {
		hop := 3 - i%4
		text := plain(rnd)
		b := *text
		sent := c.out.Seal(&b, relayCmd, hop)
		if at, tag := c.forward(&b); at != hop || tag != sent || tag.Len() != 20 || !sameText(&b, text) {
			t.Fatalf("cell %d for hop %d: recognised at %d, tag %x, want %x", i, hop, at, tag.Bytes(), sent.Bytes())
		}
		b = *text
		sent = c.backward(&b, hop)
		if from, tag, ok := c.in.Open(&b, relayCmd); !ok || from != hop || tag != sent || !sameText(&b, text) {
			t.Fatalf("cell %d from hop %d: got hop %d, %v, tag %x, want %x", i, hop, from, ok, tag.Bytes(), sent.Bytes())
		}
	}
}

// The algorithm, from its parts.
func TestServiceHopByHand(t *testing.T) {
	material := make([]byte, HSKeyLen)
	for i := range material {
		material[i] = byte(i)
	}
	k, err := ParseHS(material)
	if err != nil {
		t.Fatal(err)
	}
	text := *plain(rand.NewChaCha8([32]byte{8}))
	clear(text[5:9])
	h := sha3.New256()
	h.Write(material[:32])
	h.Write(text[:])
	sum := h.Sum(nil)
	want := text
	copy(want[5:9], sum)
	block, _ := aes.NewCipher(material[64:96])
	cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(want[:], want[:])
	var out Outbound
	out.Add(k.Forward())
	got := text
	if tag := out.Seal(&got, relayCmd, 0); got != want || !bytes.Equal(tag.Bytes(), sum[:20]) {
		t.Errorf("got %x, tag %x", got, tag.Bytes())
	}
	// The other end is at the origin of a circuit, too.
	var in Inbound
	in.Add(k.Reversed().Backward())
	if _, tag, ok := in.Open(&got, relayCmd); !ok || !sameText(&got, &text) || !tag.Equal(sum[:20]) {
		t.Error("the service does not read what the client has sent")
	}
}

func TestServiceHopGarbled(t *testing.T) {
	rnd := rand.NewChaCha8([32]byte{9})
	for _, at := range []int{0, 1, 5, 8, 9, 508} {
		c := meeting(t, rnd)
		b := plain(rnd)
		c.backward(b, 3)
		b[at] ^= 0x40
		if hop, _, ok := c.in.Open(b, relayCmd); ok {
			t.Errorf("byte %d changed: client recognised hop %d", at, hop)
		}
	}
	for _, n := range []int{0, TorOneKeyLen, HSKeyLen - 1, HSKeyLen + 1} {
		if _, err := ParseHS(make([]byte, n)); !errors.Is(err, ErrKeyLength) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestServiceHopAllocatesNothing(t *testing.T) {
	rnd := rand.NewChaCha8([32]byte{10})
	c := meeting(t, rnd)
	b := plain(rnd)
	if n := testing.AllocsPerRun(100, func() { c.out.Seal(b, relayCmd, 3); c.forward(b) }); n != 0 {
		t.Errorf("out: %v allocations per cell", n)
	}
	if n := testing.AllocsPerRun(100, func() { c.backward(b, 3); c.in.Open(b, relayCmd) }); n != 0 {
		t.Errorf("in: %v allocations per cell", n)
	}
}

func BenchmarkSeal4(b *testing.B) {
	rnd := rand.NewChaCha8([32]byte{6})
	c, cell := meeting(b, rnd), plain(rnd)
	b.SetBytes(int64(len(cell)))
	b.ReportAllocs()
	for b.Loop() {
		c.out.Seal(cell, relayCmd, 3)
	}
}
