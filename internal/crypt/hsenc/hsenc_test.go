package hsenc

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/protover"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

//go:embed testdata
var testdata embed.FS

const (
	spec = "https://spec.torproject.org/rend-spec/hsdesc-encrypt.html"
	size = 50000
)

func read(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := testdata.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func unhex(s string) [32]byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return [32]byte(b)
}

// clientKey is the key of an authorized client, from Arti's test data. The service of ctor-auth.txt has it too.
var clientKey = func() *x25519.KeyPair {
	secret := unhex("90f2d60f917f2423f0989ce9979639435a5b01cf7ab3e0a1b900beb892bae443")
	return x25519.FromSecret(&secret)
}()

// real are descriptors that others made: C tor 0.4.9.11 in a test network, and Arti's test data (tor-netdoc hsdesc.rs).
var real = []struct {
	file          string
	at            time.Time
	addr          string // or:
	subcredential string
	client        bool
	pow           bool
	cc            bool
}{
	{file: "ctor-plain.txt", at: captured, addr: "k7mhpflq4leqvnz6hre3eiaqwu4hexm526iajjdqh2b4tcwznb45fcad.onion", cc: true},
	{file: "ctor-auth.txt", at: captured, addr: "rfwfze7nfbb7zsz2ntphvgy6n5ogynpargzyycxlvm2xrkjdvh24czqd.onion", client: true, cc: true},
	{file: "ctor-pow.txt", at: captured, addr: "6tmfxrb5noarrdg33stiaz3nmhgvhaymhdoxkwwdptt3oxd7zd4buiid.onion", pow: true, cc: true},
	{file: "arti.txt", at: time.Date(2023, 1, 23, 15, 0, 0, 0, time.UTC), subcredential: "78210a0d2c72bb7a0caf606bcd938b9a3696894fdddbc3b87d424753a7e3df37"},
	{file: "arti-client-auth.txt", at: time.Date(2023, 2, 10, 0, 0, 0, 0, time.UTC), subcredential: "24a133e905102bda9a6afe57f901366a1b8281865a91f1fe0853e4b50cc8b070", client: true, cc: true},
}

var captured = time.Date(2026, 11, 26, 23, 24, 39, 0, time.UTC)

// https://spec.torproject.org/rend-spec/hsdesc-encrypt.html
func TestRealDescriptors(t *testing.T) {
	for _, tt := range real {
		t.Run(tt.file, func(t *testing.T) {
			o, err := hsdesc.ParseOuter(read(t, tt.file), size, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			var sub [32]byte
			if tt.addr == "" {
				sub = unhex(tt.subcredential)
			} else {
				addr, err := onionaddr.Parse(tt.addr)
				if err != nil {
					t.Fatal(err)
				}
				sub = hskeys.Subcredential(addr, *o.BlindedKey())
			}
			in, err := Open(o, sub, clientKey, tt.at)
			if err != nil {
				t.Fatalf("%v\nsee %s", err, spec)
			}
			if len(in.Points) != 3 || (in.PoW != nil) != tt.pow || (in.FlowControl != nil) != tt.cc ||
				tt.cc && (in.FlowControl.SendmeInc != 31 || !in.FlowControl.Versions.Supports(protover.FlowCtrl, 2)) {
				t.Errorf("got %+v", in)
			}
			for _, p := range in.Points {
				set, err := linkspec.NewSet(p.Specs)
				want, err2 := torcert.EdFromX25519(p.EncKey, 0)
				if err != nil || !set.HasRSA || err2 != nil || p.EncCert.Key != want {
					t.Errorf("introduction point %+v: %v, %v", set, err, err2)
				}
			}
			wantErr := error(nil)
			if tt.client {
				wantErr = ErrNeedClient
			}
			if _, err := Open(o, sub, nil, tt.at); !errors.Is(err, wantErr) {
				t.Errorf("without key: error %v, want %v", err, wantErr)
			}
			if tt.client {
				wantErr = ErrBadClient
			}
			if _, err := Open(o, sub, x25519.FromSecret(&[32]byte{1}), tt.at); !errors.Is(err, wantErr) {
				t.Errorf("with the key of another: error %v, want %v", err, wantErr)
			}
			if _, err := Open(o, [32]byte{1}, nil, tt.at); !errors.Is(err, ErrLayer) {
				t.Errorf("with another subcredential: error %v", err)
			}
			remake(t, o, sub, in)
		})
	}
}

// remake writes the layers of a descriptor anew: the texts must be those that were read, byte for byte.
func remake(t *testing.T, o *hsdesc.Outer, sub [32]byte, in *hsdesc.Inner) {
	t.Helper()
	l := layer{purpose: middleString, blinded: *o.BlindedKey(), subcredential: sub, revision: o.Revision}
	text, _ := l.open(o.Superencrypted)
	m, err := hsdesc.ParseMiddle(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.AppendTo(nil); err != nil || !bytes.Equal(got, text) {
		t.Errorf("middle layer, error %v:\n got %q\nwant %q", err, got, text)
	}
	if len(pad(text)) != len(o.Superencrypted)-saltLen-macLen || len(m.Clients)%hsdesc.AuthClientMultiple != 0 {
		t.Errorf("padded to %d, %d clients", len(pad(text)), len(m.Clients))
	}
	l.purpose, l.cookie = innerString, cookieFor(m, sub, clientKey)
	text, _ = l.open(m.Encrypted)
	if got, err := in.AppendTo(nil); err != nil || !bytes.Equal(got, text) {
		t.Errorf("inner layer, error %v:\n got %s\nwant %s", err, got, text)
	}
}

// Texts of inner layers that Arti's authors found in the network. Their certificates have expired, which leaves the introduction
// points out.
func TestInnerTexts(t *testing.T) {
	var texts map[string]struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(read(t, "inner.json"), &texts); err != nil {
		t.Fatal(err)
	}
	in, err := hsdesc.ParseInner([]byte(texts["inner_pow_v1"].Text), [32]byte{}, captured)
	if err != nil || in.PoW == nil || in.PoW.Effort != 614 || !in.PoW.Expires.Equal(time.Date(2024, 4, 11, 5, 15, 37, 0, time.UTC)) {
		t.Errorf("got %+v, error %v", in, err)
	}
	if in, err = hsdesc.ParseInner([]byte(texts["inner"].Text), [32]byte{}, captured); err != nil || in.PoW != nil || len(in.Points) != 0 {
		t.Errorf("got %+v, error %v", in, err)
	}
	if _, err = hsdesc.ParseInner([]byte(texts["inner_pow_empty"].Text), [32]byte{}, captured); !errors.Is(err, netdoc.ErrMissing) {
		t.Errorf("pow-params without arguments: error %v", err)
	}
}

var (
	now     = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	blinded = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	signing = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	sub     = [32]byte{3}
)

func pub(k ed25519.PrivateKey) [32]byte { return [32]byte(k.Public().(ed25519.PublicKey)) }

func version(tb testing.TB) Version {
	tb.Helper()
	cert, err := NewCert(torcert.TypeHSSigning, pub(signing), blinded, now)
	if err != nil {
		tb.Fatal(err)
	}
	return Version{Cert: cert, Signing: signing, Revision: 7}
}

// sample is a text with n introduction points.
func sample(tb testing.TB, n int) *hsdesc.Inner {
	tb.Helper()
	in := &hsdesc.Inner{FlowControl: &hsdesc.FlowControl{Versions: protover.MustParse("FlowCtrl=1-2"), SendmeInc: 31}}
	for i := range n {
		auth, err := NewCert(torcert.TypeHSIntroAuth, [32]byte{byte(i), 1}, signing, now)
		enc := x25519.FromSecret(&[32]byte{byte(i), 2}).Public()
		encCert, err2 := NewEncCert(enc, signing, now)
		if err := errors.Join(err, err2); err != nil {
			tb.Fatal(err)
		}
		in.Points = append(in.Points, hsdesc.IntroPoint{
			Specs:    []linkspec.Spec{linkspec.RSA([20]byte{byte(i)}), linkspec.Ed25519([32]byte{byte(i)})},
			OnionKey: [32]byte{byte(i), 3}, AuthCert: auth, EncKey: enc, EncCert: encCert,
		})
	}
	return in
}

func TestSeal(t *testing.T) {
	clients := func(n int) (list [][32]byte) {
		for i := range n {
			list = append(list, x25519.FromSecret(&[32]byte{byte(i), byte(i >> 8), 1}).Public())
		}
		return list
	}
	for _, tt := range []struct {
		name    string
		clients [][32]byte
		points  int
		change  func(*hsdesc.Inner)
	}{
		{"for everybody", nil, 3, nil},
		{"without introduction points", nil, 0, nil},
		{"as many introduction points as there can be", nil, hsdesc.MaxIntroPoints, nil},
		{"one client", clients(1), 3, nil},
		{"16 clients", clients(16), 3, nil},
		{"17 clients", clients(17), 3, nil},
		{"100 clients", clients(100), 3, nil},
		{"everything", clients(2), 1, func(in *hsdesc.Inner) {
			in.SingleOnion, in.IntroAuth = true, []string{"ed25519", "other"}
			in.PoW = &hsdesc.PoWParams{Seed: [32]byte{1}, Effort: 1<<32 - 1, Expires: now}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := NewAuth(rand.Reader, sub, tt.clients)
			if err != nil {
				t.Fatal(err)
			}
			if want := max(16, (len(tt.clients)+15)/16*16); len(a.middle.Clients) != want {
				t.Errorf("%d entries, want %d", len(a.middle.Clients), want)
			}
			in := sample(t, tt.points)
			if tt.change != nil {
				tt.change(in)
			}
			text, err := a.Seal(rand.Reader, version(t), in, size)
			if err != nil {
				t.Fatal(err)
			}
			o, err := hsdesc.ParseOuter(text, size, now)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(o.Superencrypted) - saltLen - macLen; n%padding != 0 || *o.BlindedKey() != pub(blinded) || o.Lifetime != hsdesc.DefaultLifetime {
				t.Errorf("%d bytes encrypted, %+v", n, o)
			}
			keys := []*x25519.KeyPair{nil}
			if len(tt.clients) > 0 {
				if _, err := Open(o, sub, nil, now); !errors.Is(err, ErrNeedClient) {
					t.Errorf("opened without a key: %v", err)
				}
				keys = keys[:0]
				for i := range tt.clients {
					keys = append(keys, x25519.FromSecret(&[32]byte{byte(i), byte(i >> 8), 1}))
				}
			}
			for i, key := range keys {
				if got, err := Open(o, sub, key, now); err != nil || !reflect.DeepEqual(got, in) {
					t.Fatalf("client %d: got %+v, error %v, want %+v", i, got, err, in)
				}
			}
		})
	}
}

func TestBadSeal(t *testing.T) {
	a, err := NewAuth(rand.Reader, sub, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		size   int
		change func(*hsdesc.Inner, *Version)
		want   error
	}{
		{"good", size, func(*hsdesc.Inner, *Version) {}, nil},
		{"too long", 14000, func(*hsdesc.Inner, *Version) {}, ErrTooLong},
		{"too many introduction points", size, func(in *hsdesc.Inner, _ *Version) { in.Points = sample(t, 21).Points }, netdoc.ErrTooMany},
		{"introduction point without a place", size, func(in *hsdesc.Inner, _ *Version) { in.Points[0].Specs = nil }, netdoc.ErrMissing},
		{"zero encryption key", size, func(in *hsdesc.Inner, _ *Version) { in.Points[0].EncKey = [32]byte{} }, hsdesc.ErrZeroKey},
		{"certificates swapped", size, func(in *hsdesc.Inner, _ *Version) { in.Points[0].EncCert = in.Points[0].AuthCert }, torcert.ErrType},
		{"text with a newline", size, func(in *hsdesc.Inner, _ *Version) { in.IntroAuth = []string{"a\nb"} }, netdoc.ErrUnsafe},
		{"lifetime", size, func(_ *hsdesc.Inner, v *Version) { v.Lifetime = time.Second }, hsdesc.ErrLifetime},
		{"signed by another key", size, func(_ *hsdesc.Inner, v *Version) { v.Signing = blinded }, hsdesc.ErrKey},
	} {
		in, v := sample(t, 3), version(t)
		tt.change(in, &v)
		if text, err := a.Seal(rand.Reader, v, in, tt.size); !errors.Is(err, tt.want) || (text == nil) != (err != nil) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
	}
	for n := range 200 { // bytes of randomness
		if _, err := NewAuth(bytes.NewReader(make([]byte, n)), sub, [][32]byte{clientKey.Public()}); err == nil {
			t.Errorf("made with %d bytes of randomness", n)
		}
	}
	if _, err := a.Seal(bytes.NewReader(make([]byte, 20)), version(t), sample(t, 1), size); err == nil {
		t.Error("sealed without randomness")
	}
	if _, err := NewAuth(rand.Reader, sub, [][32]byte{{1}}); !errors.Is(err, ErrWeakKey) {
		t.Errorf("client with a weak key: error %v", err)
	}
}

// What a hostile service can do: it knows all keys, and the texts can be anything.
func TestHostile(t *testing.T) {
	a, err := NewAuth(rand.Reader, sub, [][32]byte{clientKey.Public()})
	if err != nil {
		t.Fatal(err)
	}
	l := layer{blinded: pub(blinded), subcredential: sub, revision: 7}
	seal := func(purpose string, cookie, text []byte) []byte {
		l.purpose, l.cookie = purpose, cookie
		data, err := l.seal(rand.Reader, text)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	outer := func(data []byte) *hsdesc.Outer {
		return &hsdesc.Outer{Lifetime: hsdesc.DefaultLifetime, Cert: version(t).Cert, Revision: 7, Superencrypted: data}
	}
	middle := func(change func(*hsdesc.Middle)) *hsdesc.Outer {
		m := a.middle
		text, _ := sample(t, 1).AppendTo(nil)
		m.Encrypted = seal(innerString, a.cookie, text)
		change(&m)
		text, err := m.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		return outer(seal(middleString, nil, text))
	}
	for _, tt := range []struct {
		name string
		o    *hsdesc.Outer
		want error
	}{
		{"good", middle(func(*hsdesc.Middle) {}), nil},
		{"nothing", outer(nil), ErrLayer},
		{"salt and MAC alone", outer(make([]byte, saltLen+macLen)), ErrLayer},
		{"zeros", outer(make([]byte, 1000)), ErrLayer},
		{"nothing but padding", outer(seal(middleString, nil, make([]byte, 100))), ErrEmpty},
		{"no text at all", outer(seal(middleString, nil, []byte("\xff\xfe"))), netdoc.ErrBadKeyword},
		{"zero ephemeral key", middle(func(m *hsdesc.Middle) { m.EphemeralKey = [32]byte{} }), ErrBadClient},
		{"ephemeral key of low order", middle(func(m *hsdesc.Middle) { m.EphemeralKey = [32]byte{1} }), ErrBadClient},
		{"inner layer of padding", middle(func(m *hsdesc.Middle) { m.Encrypted = seal(innerString, a.cookie, make([]byte, 10)) }), ErrEmpty},
		{"inner layer empty", middle(func(m *hsdesc.Middle) { m.Encrypted = seal(innerString, a.cookie, []byte("\n")) }), netdoc.ErrMissing},
		{"inner layer damaged", middle(func(m *hsdesc.Middle) { m.Encrypted[20] ^= 1 }), ErrBadClient},
	} {
		if in, err := Open(tt.o, sub, clientKey, now); !errors.Is(err, tt.want) || (in == nil) != (err != nil) {
			t.Errorf("%s: got %+v, error %v, want %v", tt.name, in, err, tt.want)
		}
	}
}

// The fuzzer has the keys: it changes the texts, not what is around them.
func FuzzOpen(f *testing.F) {
	a, err := NewAuth(rand.Reader, sub, nil)
	if err != nil {
		f.Fatal(err)
	}
	cert := version(f).Cert
	text, _ := sample(f, 1).AppendTo(nil)
	f.Add(text, false)
	a.middle.Encrypted = make([]byte, 100)
	text, _ = a.middle.AppendTo(nil)
	f.Add(text, true)
	f.Fuzz(func(t *testing.T, text []byte, inMiddle bool) {
		l := layer{purpose: innerString, blinded: pub(blinded), subcredential: sub, revision: 7}
		if !inMiddle {
			m := a.middle
			m.Encrypted, _ = l.seal(rand.Reader, text)
			if text, err = m.AppendTo(nil); err != nil {
				return
			}
		}
		l.purpose = middleString
		data, err := l.seal(rand.Reader, pad(text))
		if err != nil {
			t.Fatal(err)
		}
		o := &hsdesc.Outer{Cert: cert, Revision: 7, Superencrypted: data}
		Open(o, sub, nil, now)
		Open(o, sub, clientKey, now)
	})
}

func BenchmarkOpen(b *testing.B) {
	o, err := hsdesc.ParseOuter(read(b, "ctor-plain.txt"), size, captured)
	if err != nil {
		b.Fatal(err)
	}
	addr, _ := onionaddr.Parse(real[0].addr)
	sub := hskeys.Subcredential(addr, *o.BlindedKey())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open(o, sub, nil, captured); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	a, err := NewAuth(rand.Reader, sub, nil)
	if err != nil {
		b.Fatal(err)
	}
	in, v := sample(b, 3), version(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Seal(rand.Reader, v, in, size); err != nil {
			b.Fatal(err)
		}
	}
}
