package hsntor

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// What a hostile client encrypts to a service can be anything: cut off anywhere, or any byte of it another. The service reads it or
// refuses it, and if it reads it, it can answer.
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
func TestHostilePlaintext(t *testing.T) {
	p := Point{[32]byte{7}, must(x25519.Generate(rand.Reader))}
	at := Intro{p.AuthKey, p.Enc.Public()}
	sub := [32]byte{5}
	good := must(plaintext().AppendTo(nil))
	seal := func(text []byte) []byte {
		eph := must(x25519.Generate(rand.Reader))
		in := intro{authKey: at.AuthKey, X: eph.Public(), B: at.EncKey}
		in.Bx, _ = eph.Shared(&at.EncKey)
		keys := in.keys(sub)
		text = bytes.Clone(text)
		keys.crypt(text)
		head := must(relaymsg.Introduce{AuthKey: at.AuthKey}.AppendTo(nil))
		encrypted := append(in.X[:], text...)
		code := mac(keys.mac[:], head, encrypted)
		return must(relaymsg.Introduce{AuthKey: at.AuthKey, Encrypted: append(encrypted, code[:]...)}.AppendTo(nil))
	}
	try := func(name string, i int, text []byte) bool {
		r, err := p.Open(seal(text), sub)
		if (r == nil) != (err != nil) {
			t.Fatalf("%s %d: %+v, %v", name, i, r, err)
		}
		if err != nil {
			return false
		}
		if _, _, err := r.Reply(rand.Reader); err != nil {
			t.Errorf("%s %d: cannot be answered: %v", name, i, err)
		}
		return true
	}
	if !try("whole", 0, good) || !try("padded", 0, append(bytes.Clone(good), make([]byte, 100)...)) {
		t.Error("a good one is refused")
	}
	read := 0
	for n := range good {
		if try("cut at", n, good[:n]) {
			t.Errorf("cut at %d of %d: read", n, len(good))
		}
	}
	for i := range good {
		for _, v := range []byte{0, 0xff, good[i] + 1} {
			bad := bytes.Clone(good)
			bad[i] = v
			if try("byte", i, bad) {
				read++
			}
		}
	}
	t.Logf("%d of %d changes are read", read, 3*len(good))
}
