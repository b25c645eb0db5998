package hsntor

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A rendezvous point that knows the descriptor, but neither a secret of the service nor that of the client, cannot answer in place
// of the service. It could if the client used a key that others know, such as one that was never set (C tor's bug 41297).
func TestImpersonation(t *testing.T) {
	at := Intro{[32]byte{7}, must(x25519.Generate(rand.Reader)).Public()}
	// answer is what the rendezvous point makes if it takes x for the client's secret and X for its public key.
	answer := func(x *x25519.KeyPair, X [32]byte) relaymsg.Rendezvous2 {
		y := must(x25519.Generate(rand.Reader))
		r := rend{authKey: at.AuthKey, B: at.EncKey, X: X, Y: y.Public()}
		r.Xy, _ = y.Shared(&X)
		r.Xb, _ = x.Shared(&at.EncKey)
		auth, _ := r.derive()
		return relaymsg.Rendezvous2{Y: r.Y, Auth: auth}
	}
	zero := x25519.FromSecret(new([32]byte))
	for name, tt := range map[string]struct {
		client *Client
		x      *x25519.KeyPair
		want   error
	}{
		"honest client, zero secret": {must(NewClient(rand.Reader)), zero, ErrAuth},
		"honest client, own secret":  {must(NewClient(rand.Reader)), must(x25519.Generate(rand.Reader)), ErrAuth},
		"client without a key":       {&Client{}, zero, ErrUsed},
		"client with a known key":    {&Client{zero}, zero, nil}, // the attack works, if ever there is such a client
	} {
		X := zero.Public()
		if tt.client.eph != nil {
			X = tt.client.eph.Public()
		}
		keys, err := tt.client.Finish(at, answer(tt.x, X))
		if !errors.Is(err, tt.want) || (keys == nil) != (err != nil) {
			t.Errorf("%s: error %v, want %v", name, err, tt.want)
		}
	}
	wiped := must(NewClient(rand.Reader))
	wiped.Wipe()
	if _, err := wiped.Introduce(at, [32]byte{}, plaintext()); !errors.Is(err, ErrUsed) {
		t.Errorf("introduction with a key that is gone: %v", err)
	}
	if a, b := must(NewClient(rand.Reader)), must(NewClient(rand.Reader)); a.eph.Public() == b.eph.Public() || a.eph.Public() == zero.Public() {
		t.Error("keys repeat")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
