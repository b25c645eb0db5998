package hsntor

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

const spec = "https://spec.torproject.org/rend-spec/introduction-protocol.html"

//go:embed testdata/hsntor.json
var vectorJSON []byte

// hexBytes is a byte string that is written in hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type vector struct {
	AuthKey       hexBytes `json:"kp_hs_ipt_sid"`
	Subcredential hexBytes `json:"subcredential"`
	B             hexBytes `json:"kp_hss_ntor"`
	Bsecret       hexBytes `json:"ks_hss_ntor"`
	X             hexBytes `json:"key_x"`
	Y             hexBytes `json:"key_y"`
	Plain         hexBytes `json:"intro_body"`
	Introduce1    hexBytes `json:"introduce1_cell"`
	Reply         hexBytes `json:"rendezvous1_handshake_info"`
	Seed          hexBytes `json:"ntor_key_seed"`
	MAC           []struct {
		Key  string   `json:"key_ascii"`
		Msg  string   `json:"msg_ascii"`
		Want hexBytes `json:"expect"`
	} `json:"hs_mac"`
}

func load(tb testing.TB) (v vector) {
	tb.Helper()
	if err := json.Unmarshal(vectorJSON, &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

func pair(secret []byte) *x25519.KeyPair { return x25519.FromSecret((*[32]byte)(secret)) }

func (v vector) point() Point { return Point{[32]byte(v.AuthKey), pair(v.Bsecret)} }
func (v vector) intro() Intro { return Intro{[32]byte(v.AuthKey), [32]byte(v.B)} }

// https://spec.torproject.org/rend-spec/introduction-protocol.html
func TestVector(t *testing.T) {
	v := load(t)
	for _, m := range v.MAC {
		if got := mac([]byte(m.Key), []byte(m.Msg)); !bytes.Equal(got[:], m.Want) {
			t.Errorf("MAC of %q: got %x, want %x", m.Msg, got, m.Want)
		}
	}
	plain, err := relaymsg.ParseIntroducePlaintext(v.Plain)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{pair(v.X)}
	body, err := c.Introduce(v.intro(), [32]byte(v.Subcredential), plain)
	if err != nil || !bytes.Equal(body, v.Introduce1) {
		t.Fatalf("INTRODUCE1:\n got %x, error %v\nwant %x\nsee %s", body, err, v.Introduce1, spec)
	}
	r, err := v.point().Open(body, [32]byte{1}, [32]byte(v.Subcredential), [32]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := r.IntroducePlaintext.AppendTo(nil); !bytes.HasPrefix(v.Plain, got) || r.Cookie != plain.Cookie {
		t.Errorf("opened: got %x, want %x", got, v.Plain)
	}
	reply, ks, err := r.reply(pair(v.Y))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := reply.AppendTo(nil); !bytes.Equal(got, v.Reply) {
		t.Errorf("reply:\n got %x\nwant %x\nsee %s", got, v.Reply, spec)
	}
	kc, err := c.Finish(v.intro(), reply)
	if err != nil {
		t.Fatal(err)
	}
	want := expand(128, v.Seed, []byte("tor-hs-ntor-curve25519-sha3-256-1:hs_key_expand"))
	if got := ks.Expand(128); !bytes.Equal(got, want) {
		t.Errorf("keys of the service: got %x, want %x", got, want)
	}
	if got := kc.Expand(128); !bytes.Equal(got, want) {
		t.Errorf("keys of the client: got %x, want %x", got, want)
	}
}

func plaintext() relaymsg.IntroducePlaintext {
	return relaymsg.IntroducePlaintext{
		Cookie:   [20]byte{1},
		Exts:     circext.List{circext.CCRequest(), circext.ProofOfWork{Effort: 7}.Extension()},
		OnionKey: [32]byte{2},
		Specs:    []linkspec.Spec{linkspec.RSA([20]byte{3}), linkspec.Ed25519([32]byte{4})},
	}
}

func TestRandom(t *testing.T) {
	v := load(t)
	c, err := NewClient(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// Two introductions, of which the second is answered.
	if _, err := c.Introduce(Intro{[32]byte{9}, [32]byte{9}}, [32]byte{5}, plaintext()); err != nil {
		t.Fatal(err)
	}
	body, err := c.Introduce(v.intro(), [32]byte{5}, plaintext())
	if err != nil {
		t.Fatal(err)
	}
	r, err := v.point().Open(body, [32]byte{5})
	if err != nil {
		t.Fatal(err)
	}
	if pow, ok := r.Exts.Get(circext.TypeProofOfWork); !ok || len(pow) != 41 {
		t.Errorf("proof of work: %x", pow)
	}
	reply, ks, err := r.Reply(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// A bad answer does not spoil the good one: the rendezvous point could make it.
	for name, bad := range map[string]struct {
		m    relaymsg.Rendezvous2
		at   Intro
		want error
	}{
		"zero":          {relaymsg.Rendezvous2{}, v.intro(), ErrWeakKey},
		"Y of order 4":  {relaymsg.Rendezvous2{Y: [32]byte{1}, Auth: reply.Auth}, v.intro(), ErrWeakKey},
		"wrong proof":   {relaymsg.Rendezvous2{Y: reply.Y}, v.intro(), ErrAuth},
		"other point":   {reply, Intro{[32]byte{9}, v.intro().EncKey}, ErrAuth},
		"other key":     {reply, Intro{v.intro().AuthKey, [32]byte{9}}, ErrAuth},
		"zero key of B": {reply, Intro{AuthKey: v.intro().AuthKey}, ErrWeakKey},
	} {
		if k, err := c.Finish(bad.at, bad.m); !errors.Is(err, bad.want) || k != nil {
			t.Errorf("%s: error %v, want %v", name, err, bad.want)
		}
	}
	kc, err := c.Finish(v.intro(), reply)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := ks.Expand(128), kc.Expand(128); !bytes.Equal(a, b) {
		t.Errorf("service has %x, client has %x", a, b)
	}
	if _, err := c.Finish(v.intro(), reply); !errors.Is(err, ErrUsed) {
		t.Errorf("second answer: error %v", err)
	}
	if _, err := c.Introduce(v.intro(), [32]byte{5}, plaintext()); !errors.Is(err, ErrUsed) {
		t.Errorf("introduction after the end: error %v", err)
	}
	c.Wipe()
	empty := bytes.NewReader(nil)
	if _, err := NewClient(empty); err == nil {
		t.Error("client without randomness")
	}
	if _, _, err := r.Reply(empty); err == nil {
		t.Error("reply without randomness")
	}
}

func TestBadIntroduction(t *testing.T) {
	v := load(t)
	sub := [32]byte(v.Subcredential)
	seal := func(x []byte, text []byte) []byte {
		head, _ := relaymsg.Introduce{AuthKey: [32]byte(v.AuthKey)}.AppendTo(nil)
		in := intro{authKey: [32]byte(v.AuthKey), X: [32]byte(x), B: [32]byte(v.B)}
		in.Bx, _ = v.point().Enc.Shared((*[32]byte)(x))
		keys := in.keys(sub)
		keys.crypt(text)
		body := append(append(head, x...), text...)
		code := mac(keys.mac[:], body)
		return append(body, code[:]...)
	}
	client := pair(v.X).Public()
	for _, tt := range []struct {
		name string
		body []byte
		want error
	}{
		{"empty", nil, relaymsg.ErrTruncated},
		{"key alone", v.Introduce1[:56+32], ErrTruncated},
		{"one byte less than key and MAC", v.Introduce1[:56+63], ErrTruncated},
		{"no text", seal(client[:], nil), relaymsg.ErrTruncated},
		{"text of zeros", seal(client[:], make([]byte, 100)), relaymsg.ErrMalformed},
		{"X is zero", seal(make([]byte, 32), bytes.Clone(v.Plain)), ErrWeakKey},
		{"X is one", seal(append([]byte{1}, make([]byte, 31)...), bytes.Clone(v.Plain)), ErrWeakKey},
		{"too long", append(bytes.Clone(v.Introduce1), make([]byte, 200)...), relaymsg.ErrTooLong},
	} {
		if r, err := v.point().Open(tt.body, sub); !errors.Is(err, tt.want) || r != nil {
			t.Errorf("%s: got %+v, error %v, want %v", tt.name, r, err, tt.want)
		}
	}
	for i := range v.Introduce1 {
		bad := bytes.Clone(v.Introduce1)
		bad[i] ^= 0x80
		if _, err := v.point().Open(bad, sub); err == nil {
			t.Errorf("byte %d changed: accepted", i)
		}
	}
	if _, err := v.point().Open(v.Introduce1); !errors.Is(err, ErrAuth) {
		t.Errorf("no subcredential: error %v", err)
	}
	if _, err := v.point().Open(v.Introduce1, [32]byte{}); !errors.Is(err, ErrAuth) {
		t.Errorf("other subcredential: error %v", err)
	}
	other := Point{[32]byte{1}, v.point().Enc}
	if _, err := other.Open(v.Introduce1, sub); !errors.Is(err, ErrOtherPoint) {
		t.Errorf("other point: error %v", err)
	}
	noCookie := plaintext()
	noCookie.Cookie = [20]byte{}
	if _, err := (&Client{pair(v.X)}).Introduce(v.intro(), sub, noCookie); !errors.Is(err, ErrNoCookie) {
		t.Errorf("introduction without cookie: error %v", err)
	}
	if _, err := (&Client{pair(v.X)}).Introduce(Intro{}, sub, plaintext()); !errors.Is(err, ErrWeakKey) {
		t.Errorf("introduction with a zero key: error %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	v := load(f)
	f.Add([]byte(v.Introduce1))
	f.Add([]byte(v.Introduce1[:120]))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		v.point().Open(body, [32]byte(v.Subcredential))
		if !bytes.Equal(body, before) {
			t.Fatal("the input was changed")
		}
	})
}

func BenchmarkOpenAndReply(b *testing.B) {
	v := load(b)
	p := v.point()
	for b.Loop() {
		r, err := p.Open(v.Introduce1, [32]byte{1}, [32]byte(v.Subcredential))
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := r.Reply(rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}
