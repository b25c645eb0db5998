package ntorv3

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
)

//go:embed testdata/ntor_v3.json
var vectorJSON []byte

// hexBytes is a byte string that is written in hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type vector struct {
	Bsk          hexBytes `json:"relay_onion_sk_b"`
	Bpk          hexBytes `json:"relay_onion_pk_B"`
	ID           hexBytes `json:"relay_ed_id"`
	Xsk          hexBytes `json:"client_sk_x"`
	Ysk          hexBytes `json:"relay_eph_sk_y"`
	ClientMsg    hexBytes `json:"client_message"`
	Verification hexBytes `json:"verification"`
	ServerMsg    hexBytes `json:"server_message"`
	Client       hexBytes `json:"client_handshake"`
	Server       hexBytes `json:"server_handshake"`
	Keys         hexBytes `json:"keys_256"`
}

func loadVector(t testing.TB) (v vector) {
	t.Helper()
	if err := json.Unmarshal(vectorJSON, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func pair(secret []byte) *x25519.KeyPair { return x25519.FromSecret((*[32]byte)(secret)) }

func (v *vector) start(t testing.TB) (*Client, []byte) {
	t.Helper()
	c, msg, err := clientStart(pair(v.Xsk), [32]byte(v.ID), [32]byte(v.Bpk), string(v.Verification), v.ClientMsg)
	if err != nil {
		t.Fatal(err)
	}
	return c, msg
}

func (v *vector) open(handshake []byte) (*Server, []byte, error) {
	return ServerOpen([32]byte(v.ID), []*x25519.KeyPair{pair(v.Ysk), pair(v.Bsk)}, string(v.Verification), handshake)
}

// https://spec.torproject.org/tor-spec/create-created-cells.html#ntor-v3
func TestVector(t *testing.T) {
	v := loadVector(t)
	client, handshake := v.start(t)
	if !bytes.Equal(handshake, v.Client) {
		t.Fatalf("client handshake: got %x, want %x", handshake, v.Client)
	}
	server, msg, err := v.open(handshake)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(msg, v.ClientMsg) {
		t.Errorf("client message: got %q, want %q", msg, v.ClientMsg)
	}
	reply, serverKeys, err := server.reply(pair(v.Ysk), v.ServerMsg)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(reply, v.Server) {
		t.Fatalf("reply: got %x, want %x", reply, v.Server)
	}
	msg, clientKeys, err := client.Finish(reply)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(msg, v.ServerMsg) {
		t.Errorf("server message: got %q, want %q", msg, v.ServerMsg)
	}
	if got := serverKeys.Expand(256); !bytes.Equal(got, v.Keys) {
		t.Errorf("keys of the relay: got %x, want %x", got, v.Keys)
	}
	if got := clientKeys.Expand(256); !bytes.Equal(got, v.Keys) {
		t.Errorf("keys of the client: got %x, want %x", got, v.Keys)
	}
}

func TestRandom(t *testing.T) {
	onion, err := x25519.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 300} {
		sent, answer := bytes.Repeat([]byte{'q'}, size), bytes.Repeat([]byte{'a'}, size)
		client, handshake, err := ClientStart(rand.Reader, [32]byte{1}, onion.Public(), Circuit, sent)
		if err != nil {
			t.Fatal(err)
		}
		server, got, err := ServerOpen([32]byte{1}, []*x25519.KeyPair{onion}, Circuit, handshake)
		if err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("relay read %q, error %v; want %q", got, err, sent)
		}
		reply, ks, err := server.Reply(rand.Reader, answer)
		if err != nil {
			t.Fatal(err)
		}
		got, kc, err := client.Finish(reply)
		if err != nil || !bytes.Equal(got, answer) {
			t.Fatalf("client read %q, error %v; want %q", got, err, answer)
		}
		if a, b := ks.Expand(180), kc.Expand(180); !bytes.Equal(a, b) {
			t.Errorf("relay has %x, client has %x", a, b)
		}
	}
}

func TestNoRandomness(t *testing.T) {
	v := loadVector(t)
	if _, _, err := ClientStart(bytes.NewReader(nil), [32]byte{}, [32]byte{9}, Circuit, nil); err == nil {
		t.Error("client started")
	}
	s, _, err := v.open(v.Client)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Reply(strings.NewReader("short"), nil); err == nil {
		t.Error("relay replied")
	}
}

func TestBadClientHandshake(t *testing.T) {
	v := loadVector(t)
	n := len(v.Client)
	for _, c := range []struct {
		name string
		edit func(m []byte) []byte
		want error
	}{
		{"empty", func(m []byte) []byte { return nil }, ErrTruncated},
		{"no room for a MAC", func(m []byte) []byte { return m[:127] }, ErrTruncated},
		{"message cut", func(m []byte) []byte { return m[:128] }, ErrAuth},
		{"byte added", func(m []byte) []byte { return append(m, 0) }, ErrAuth},
		{"other relay", func(m []byte) []byte { m[31] ^= 1; return m }, ErrOtherRelay},
		{"unknown onion key", func(m []byte) []byte { m[32] ^= 1; return m }, ErrUnknownKey},
		{"X changed", func(m []byte) []byte { m[64] ^= 1; return m }, ErrAuth},
		{"X is zero", func(m []byte) []byte { clear(m[64:96]); return m }, ErrWeakKey},
		{"message changed", func(m []byte) []byte { m[96] ^= 1; return m }, ErrAuth},
		{"MAC changed", func(m []byte) []byte { m[n-1] ^= 1; return m }, ErrAuth},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _, err := v.open(c.edit(bytes.Clone(v.Client)))
			if !errors.Is(err, c.want) || s != nil {
				t.Errorf("got error %v, want %v", err, c.want)
			}
		})
	}
	t.Run("other verification string", func(t *testing.T) {
		_, _, err := ServerOpen([32]byte(v.ID), []*x25519.KeyPair{pair(v.Bsk)}, Circuit, v.Client)
		if !errors.Is(err, ErrAuth) {
			t.Errorf("got error %v, want %v", err, ErrAuth)
		}
	})
}

func TestBadReply(t *testing.T) {
	v := loadVector(t)
	for _, c := range []struct {
		name string
		edit func(m []byte) []byte
		want error
	}{
		{"empty", func(m []byte) []byte { return nil }, ErrTruncated},
		{"no room for the proof", func(m []byte) []byte { return m[:63] }, ErrTruncated},
		{"message cut", func(m []byte) []byte { return m[:len(m)-1] }, ErrAuth},
		{"byte added", func(m []byte) []byte { return append(m, 0) }, ErrAuth},
		{"Y changed", func(m []byte) []byte { m[0] ^= 1; return m }, ErrAuth},
		{"Y is zero", func(m []byte) []byte { clear(m[:32]); return m }, ErrWeakKey},
		{"proof changed", func(m []byte) []byte { m[32] ^= 1; return m }, ErrAuth},
		{"message changed", func(m []byte) []byte { m[64] ^= 1; return m }, ErrAuth},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, _ := v.start(t)
			_, keys, err := client.Finish(c.edit(bytes.Clone(v.Server)))
			if !errors.Is(err, c.want) || keys != nil {
				t.Errorf("got error %v, want %v", err, c.want)
			}
		})
	}
}

func TestWeakOnionKey(t *testing.T) {
	if _, _, err := ClientStart(rand.Reader, [32]byte{1}, [32]byte{}, Circuit, nil); !errors.Is(err, ErrWeakKey) {
		t.Errorf("got error %v, want %v", err, ErrWeakKey)
	}
}

func FuzzServerOpen(f *testing.F) {
	v := loadVector(f)
	f.Add([]byte(v.Client))
	f.Fuzz(func(t *testing.T, handshake []byte) {
		if _, _, err := v.open(handshake); err == nil && !bytes.Equal(handshake, v.Client) {
			t.Errorf("accepted %x", handshake)
		}
	})
}

func FuzzFinish(f *testing.F) {
	v := loadVector(f)
	f.Add([]byte(v.Server))
	f.Fuzz(func(t *testing.T, reply []byte) {
		client, _ := v.start(t)
		if _, _, err := client.Finish(reply); err == nil && !bytes.Equal(reply, v.Server) {
			t.Errorf("accepted %x", reply)
		}
	})
}

func BenchmarkServer(b *testing.B) {
	v := loadVector(b)
	onion := []*x25519.KeyPair{pair(v.Bsk)}
	b.ReportAllocs()
	for b.Loop() {
		s, msg, err := ServerOpen([32]byte(v.ID), onion, string(v.Verification), v.Client)
		if err != nil {
			b.Fatal(err)
		}
		_, keys, err := s.Reply(rand.Reader, msg)
		if err != nil {
			b.Fatal(err)
		}
		keys.Circuit(72)
	}
}
