package ntor

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
)

//go:embed testdata/ntor.json
var vectorJSON []byte

// hexBytes is a byte string that is written in hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type vector struct {
	Bsk    hexBytes `json:"b_sk"`
	Bpk    hexBytes `json:"b_pk"`
	Xsk    hexBytes `json:"x_sk"`
	Ysk    hexBytes `json:"y_sk"`
	ID     hexBytes `json:"id"`
	Client hexBytes `json:"client_handshake"`
	Server hexBytes `json:"server_handshake"`
	Keys   hexBytes `json:"keys"`
}

func loadVector(t testing.TB) (v vector) {
	t.Helper()
	if err := json.Unmarshal(vectorJSON, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func pair(secret []byte) *x25519.KeyPair { return x25519.FromSecret((*[32]byte)(secret)) }

// https://spec.torproject.org/tor-spec/create-created-cells.html#ntor
func TestVector(t *testing.T) {
	v := loadVector(t)
	b := pair(v.Bsk)
	if got := b.Public(); !bytes.Equal(got[:], v.Bpk) {
		t.Fatalf("onion key: got %x, want %x", got, v.Bpk)
	}
	client, msg := clientStart(pair(v.Xsk), [20]byte(v.ID), b.Public())
	if !bytes.Equal(msg[:], v.Client) {
		t.Fatalf("client message: got %x, want %x", msg, v.Client)
	}
	other := pair(bytes.Repeat([]byte{7}, 32))
	reply, serverKeys, err := serverReply(pair(v.Ysk), [20]byte(v.ID), []*x25519.KeyPair{other, b}, msg[:])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(reply[:], v.Server) {
		t.Fatalf("reply: got %x, want %x", reply, v.Server)
	}
	clientKeys, err := client.Finish(reply[:])
	if err != nil {
		t.Fatal(err)
	}
	if got := serverKeys.Expand(len(v.Keys)); !bytes.Equal(got, v.Keys) {
		t.Errorf("keys of the relay: got %x, want %x", got, v.Keys)
	}
	if got := clientKeys.Expand(len(v.Keys)); !bytes.Equal(got, v.Keys) {
		t.Errorf("keys of the client: got %x, want %x", got, v.Keys)
	}
}

func TestRandom(t *testing.T) {
	onion, err := x25519.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	client, msg, err := ClientStart(rand.Reader, [20]byte{1}, onion.Public())
	if err != nil {
		t.Fatal(err)
	}
	reply, ks, err := ServerReply(rand.Reader, [20]byte{1}, []*x25519.KeyPair{onion}, msg[:])
	if err != nil {
		t.Fatal(err)
	}
	kc, err := client.Finish(reply[:])
	if err != nil {
		t.Fatal(err)
	}
	if a, b := ks.Expand(92), kc.Expand(92); !bytes.Equal(a, b) {
		t.Errorf("relay has %x, client has %x", a, b)
	}
	empty := bytes.NewReader(nil)
	if _, _, err := ClientStart(empty, [20]byte{}, [32]byte{}); err == nil {
		t.Error("client started without randomness")
	}
	if _, _, err := ServerReply(empty, [20]byte{1}, []*x25519.KeyPair{onion}, msg[:]); err == nil {
		t.Error("relay replied without randomness")
	}
}

func TestBadClientMessage(t *testing.T) {
	v := loadVector(t)
	for _, c := range []struct {
		name string
		edit func(m []byte) []byte
		want error
	}{
		{"empty", func(m []byte) []byte { return nil }, ErrLength},
		{"short", func(m []byte) []byte { return m[:83] }, ErrLength},
		{"long", func(m []byte) []byte { return append(m, 0) }, ErrLength},
		{"other relay", func(m []byte) []byte { m[19] ^= 1; return m }, ErrOtherRelay},
		{"unknown onion key", func(m []byte) []byte { m[20] ^= 1; return m }, ErrUnknownKey},
		{"X is zero", func(m []byte) []byte { clear(m[52:]); return m }, ErrWeakKey},
		{"X is one", func(m []byte) []byte { clear(m[52:]); m[52] = 1; return m }, ErrWeakKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.edit(bytes.Clone(v.Client))
			_, keys, err := serverReply(pair(v.Ysk), [20]byte(v.ID), []*x25519.KeyPair{pair(v.Bsk)}, m)
			if !errors.Is(err, c.want) || keys != nil {
				t.Errorf("got error %v, want %v", err, c.want)
			}
		})
	}
}

func TestBadReply(t *testing.T) {
	v := loadVector(t)
	for _, c := range []struct {
		name string
		edit func(m []byte) []byte
		want error
	}{
		{"empty", func(m []byte) []byte { return nil }, ErrLength},
		{"short", func(m []byte) []byte { return m[:63] }, ErrLength},
		{"long", func(m []byte) []byte { return append(m, 0) }, ErrLength},
		{"Y changed", func(m []byte) []byte { m[0] ^= 1; return m }, ErrAuth},
		{"auth changed", func(m []byte) []byte { m[63] ^= 1; return m }, ErrAuth},
		{"Y is zero", func(m []byte) []byte { clear(m[:32]); return m }, ErrWeakKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, _ := clientStart(pair(v.Xsk), [20]byte(v.ID), [32]byte(v.Bpk))
			keys, err := client.Finish(c.edit(bytes.Clone(v.Server)))
			if !errors.Is(err, c.want) || keys != nil {
				t.Errorf("got error %v, want %v", err, c.want)
			}
		})
	}
	t.Run("onion key is zero", func(t *testing.T) {
		client, _ := clientStart(pair(v.Xsk), [20]byte(v.ID), [32]byte{})
		if _, err := client.Finish(v.Server); !errors.Is(err, ErrWeakKey) {
			t.Errorf("got error %v, want %v", err, ErrWeakKey)
		}
	})
}

func FuzzServerReply(f *testing.F) {
	v := loadVector(f)
	f.Add([]byte(v.Client))
	b := pair(v.Bsk)
	f.Fuzz(func(t *testing.T, msg []byte) {
		_, keys, err := serverReply(pair(v.Ysk), [20]byte(v.ID), []*x25519.KeyPair{b}, msg)
		if (err == nil) != (keys != nil) {
			t.Errorf("keys %v, error %v", keys, err)
		}
	})
}

func FuzzFinish(f *testing.F) {
	v := loadVector(f)
	f.Add([]byte(v.Server))
	f.Fuzz(func(t *testing.T, reply []byte) {
		client, _ := clientStart(pair(v.Xsk), [20]byte(v.ID), [32]byte(v.Bpk))
		if _, err := client.Finish(reply); err == nil && !bytes.Equal(reply, v.Server) {
			t.Errorf("accepted %x", reply)
		}
	})
}

func BenchmarkServerReply(b *testing.B) {
	v := loadVector(b)
	onion := []*x25519.KeyPair{pair(v.Bsk)}
	b.ReportAllocs()
	for b.Loop() {
		_, keys, err := ServerReply(rand.Reader, [20]byte(v.ID), onion, v.Client)
		if err != nil {
			b.Fatal(err)
		}
		keys.Circuit(72)
	}
}
