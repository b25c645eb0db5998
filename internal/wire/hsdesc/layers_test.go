package hsdesc

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/protover"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

const layerSpec = "https://spec.torproject.org/rend-spec/hsdesc-encrypt.html"

func sampleMiddle() *Middle {
	m := &Middle{EphemeralKey: [32]byte{1}, Encrypted: bytes.Repeat([]byte{3}, 100)}
	for i := range AuthClientMultiple {
		m.Clients = append(m.Clients, AuthClient{ID: [8]byte{byte(i)}, IV: [16]byte{1}, Cookie: [16]byte{2}})
	}
	return m
}

func introCert(tb testing.TB, typ uint8, by ed25519.PrivateKey, change func(*torcert.Cert)) *torcert.Cert {
	tb.Helper()
	key := pub(by)
	c := &torcert.Cert{Type: typ, Expires: now.Add(54 * time.Hour), KeyType: torcert.KeyEd25519, Key: [32]byte{typ}, SignedWith: &key}
	if change != nil {
		change(c)
	}
	c, err := c.Sign(by)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func sampleInner(tb testing.TB, points int) *Inner {
	tb.Helper()
	in := &Inner{
		IntroAuth:   []string{"ed25519"},
		SingleOnion: true,
		FlowControl: &FlowControl{protover.MustParse("FlowCtrl=1-2"), 31},
		PoW:         &PoWParams{[32]byte{1}, 7, now},
	}
	for i := range points {
		in.Points = append(in.Points, IntroPoint{
			Specs:    []linkspec.Spec{linkspec.RSA([20]byte{byte(i)}), linkspec.Ed25519([32]byte{byte(i)})},
			OnionKey: [32]byte{byte(i), 1}, AuthCert: introCert(tb, torcert.TypeHSIntroAuth, signing, nil),
			EncKey: [32]byte{byte(i), 2}, EncCert: introCert(tb, torcert.TypeHSIntroEnc, signing, nil),
		})
	}
	return in
}

func textOf(tb testing.TB, v interface {
	AppendTo([]byte) ([]byte, error)
}) string {
	tb.Helper()
	text, err := v.AppendTo(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// edit is a change to a text and what the parser says of it.
type edit struct {
	name, old, new string
	want           error
}

func (e edit) apply(t *testing.T, text string) []byte {
	t.Helper()
	changed := strings.Replace(text, e.old, e.new, 1)
	if changed == text && e.old != e.new {
		t.Fatalf("no %q in the text", e.old)
	}
	return []byte(changed)
}

// https://spec.torproject.org/rend-spec/hsdesc-encrypt.html#first-layer-plaintext
func TestParseMiddle(t *testing.T) {
	want := sampleMiddle()
	text := textOf(t, want)
	if got, err := ParseMiddle([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, error %v, want %+v", got, err, want)
	}
	client := text[strings.Index(text, kwAuthClient) : strings.Index(text, kwAuthClient)+len("auth-client AAAAAAAAAAA AQAAAAAAAAAAAAAAAAAAAA AgAAAAAAAAAAAAAAAAAAAA\n")]
	for _, tt := range []edit{
		{"as it is", "", "", nil},
		{"newline at the end", "-----END MESSAGE-----", "-----END MESSAGE-----\n", nil},
		{"unknown item", "auth-client", "hello world\nauth-client", nil},
		{"later arguments", "x25519", "x25519 more", nil},
		{"15 clients", client, "", nil},
		{"padded client", "auth-client AAAAAAAAAAA ", "auth-client AAAAAAAAAAA= ", nil},
		{"no kind of authorization", "desc-auth-type x25519\n", "", netdoc.ErrMisplaced},
		{"kind of authorization not first", "desc-auth-type x25519\n", "hello\ndesc-auth-type x25519\n", netdoc.ErrMisplaced},
		{"unknown kind of authorization", "x25519", "x448", ErrAuthType},
		{"no ephemeral key", kwAuthKey, "other", netdoc.ErrMissing},
		{"ephemeral key twice", kwEncrypted, kwAuthKey + " AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" + kwEncrypted, netdoc.ErrTooMany},
		{"short ephemeral key", kwAuthKey + " AQ", kwAuthKey + " ", netdoc.ErrBadValue},
		{"client with two fields", "auth-client AAAAAAAAAAA ", "auth-client ", netdoc.ErrMissing},
		{"client with a short id", "auth-client AAAAAAAAAAA ", "auth-client AAAAAAAAAA ", netdoc.ErrBadValue},
		{"nothing encrypted", "\n" + kwEncrypted + "\n", "\nother\n", netdoc.ErrMissing},
		{"encrypted with argument", "\n" + kwEncrypted + "\n", "\nencrypted x\n", netdoc.ErrTooMany},
		{"other object", "MESSAGE", "MASSAGE", netdoc.ErrBadObject},
		{"NUL", "auth-client", "auth\x00client", netdoc.ErrBadByte},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if m, err := ParseMiddle(tt.apply(t, text)); !errors.Is(err, tt.want) || (m == nil) != (err != nil) {
				t.Errorf("got %+v, error %v, want %v\nsee %s", m, err, tt.want, layerSpec)
			}
		})
	}
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"empty":                {"", netdoc.ErrMissing},
		"no clients":           {strings.ReplaceAll(text, kwAuthClient, "other"), netdoc.ErrMissing},
		"salt and MAC alone":   {strings.Replace(text, base64Lines(want.Encrypted), base64Lines(make([]byte, minEncrypted-1)), 1), ErrTooShort},
		"twice":                {text + "\n" + text, netdoc.ErrTooMany},
		"cut in the message":   {text[:len(text)-40], netdoc.ErrTruncated},
		"object after clients": {strings.Replace(text, client, client+"-----BEGIN X-----\nAAAA\n-----END X-----\n", 1), netdoc.ErrMisplaced},
	} {
		if m, err := ParseMiddle([]byte(tt.text)); !errors.Is(err, tt.want) || m != nil {
			t.Errorf("%s: got %+v, error %v, want %v", name, m, err, tt.want)
		}
	}
	for name, change := range map[string]func(*Middle){
		"no clients":        func(m *Middle) { m.Clients = nil },
		"nothing encrypted": func(m *Middle) { m.Encrypted = nil },
	} {
		m := sampleMiddle()
		change(m)
		if text, err := m.AppendTo(nil); err == nil {
			t.Errorf("%s: encoded as %q", name, text)
		}
	}
}

// https://spec.torproject.org/rend-spec/hsdesc-encrypt.html#second-layer-plaintext
func TestParseInner(t *testing.T) {
	for _, points := range []int{0, 1, 3, MaxIntroPoints} {
		want := sampleInner(t, points)
		text := textOf(t, want)
		if got, err := ParseInner([]byte(text), pub(signing), now); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%d points: got %+v, error %v, want %+v", points, got, err, want)
		}
	}
	if got, err := ParseInner([]byte("create2-formats 2"), pub(signing), now); err != nil || !reflect.DeepEqual(got, &Inner{}) {
		t.Errorf("least text: got %+v, error %v", got, err)
	}
	text := textOf(t, sampleInner(t, 1))
	pow := kwPoW + " v1 AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= 7 2026-01-02T03:04:05\n"
	for _, tt := range []edit{
		{"as it is", "", "", nil},
		{"several handshakes", "formats 2", "formats 0 1 2 3 x", nil},
		{"unknown item", kwSingleOnion, "hello world\n" + kwSingleOnion, nil},
		{"unknown proof of work", pow, pow + kwPoW + " v2\n", nil},
		{"unpadded seed", "AAAA= 7", "AAAA 7", nil},
		{"greatest effort", " 7 2026", " 4294967295 2026", nil},
		{"unknown authentication beside the known one", "required ed25519", "required other ed25519", nil},
		{"malformed versions of flow control", "flow-control 1-2", "flow-control x", nil},
		{"no handshakes", "create2-formats 2", "create2-formats", ErrCreate2},
		{"unknown handshakes", "create2-formats 2", "create2-formats 1 3 22", ErrCreate2},
		{"no list of handshakes", kwCreate2, "other", netdoc.ErrMisplaced},
		{"two lists of handshakes", kwSingleOnion, kwCreate2 + " 2\n" + kwSingleOnion, netdoc.ErrTooMany},
		{"no authentication", "required ed25519", "required", netdoc.ErrMissing},
		{"unknown authentication", "required ed25519", "required other", ErrIntroAuth},
		{"flow control without increment", "flow-control 1-2 31", "flow-control 1-2", netdoc.ErrMissing},
		{"increment 0", "flow-control 1-2 31", "flow-control 1-2 0", netdoc.ErrBadValue},
		{"increment 256", "flow-control 1-2 31", "flow-control 1-2 256", netdoc.ErrBadValue},
		{"flow control twice", kwPoW, "flow-control 1 31\n" + kwPoW, netdoc.ErrTooMany},
		{"proof of work without anything", pow, kwPoW + "\n", netdoc.ErrMissing},
		{"proof of work without seed", pow, kwPoW + " v1\n", netdoc.ErrBadValue},
		{"proof of work without expiry", " 2026-01-02T03:04:05", "", netdoc.ErrBadValue},
		{"proof of work twice", pow, pow + pow, netdoc.ErrTooMany},
		{"short seed", "AQAAAA", "AAAA", netdoc.ErrBadValue},
		{"negative effort", " 7 2026", " -7 2026", netdoc.ErrBadValue},
		{"effort of 33 bits", " 7 2026", " 4294967296 2026", netdoc.ErrBadValue},
		{"time with a space", "02T03", "02 03", netdoc.ErrBadValue},
		{"no such day", "2026-01-02", "2026-02-30", netdoc.ErrBadValue},
		{"object unended in an introduction point", "-----END ED25519 CERT-----", "-----END X-----", netdoc.ErrBadObject},
		{"single onion service in an introduction point", kwOnionKey, kwSingleOnion + "\n" + kwOnionKey, netdoc.ErrTooMany},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if in, err := ParseInner(tt.apply(t, text), pub(signing), now); !errors.Is(err, tt.want) || (in == nil) != (err != nil) {
				t.Errorf("got %+v, error %v, want %v\nsee %s", in, err, tt.want, layerSpec)
			}
		})
	}
	if in, err := ParseInner([]byte(textOf(t, sampleInner(t, 20))+pointText(t)), pub(signing), now); !errors.Is(err, netdoc.ErrTooMany) {
		t.Errorf("21 points: got %+v, error %v", in, err)
	}
	bad := strings.Repeat(kwIntroPoint+" x\n", 1000)
	if in, err := ParseInner([]byte(textOf(t, sampleInner(t, 20))+bad), pub(signing), now); err != nil || len(in.Points) != 20 {
		t.Errorf("many bad points: got %+v, error %v", in, err)
	}
}

// pointText is the text of one introduction point.
func pointText(tb testing.TB) string {
	text := textOf(tb, sampleInner(tb, 1))
	return text[strings.Index(text, kwIntroPoint):]
}

// A bad introduction point is left out, and does no harm to the one behind it.
func TestBadIntroPoint(t *testing.T) {
	head, good := "create2-formats 2\n", pointText(t)
	cert := func(typ uint8, by ed25519.PrivateKey, change func(*torcert.Cert)) string {
		return base64Lines(introCert(t, typ, by, change).Bytes())
	}
	auth, enc := cert(torcert.TypeHSIntroAuth, signing, nil), cert(torcert.TypeHSIntroEnc, signing, nil)
	specs := good[len(kwIntroPoint)+1 : strings.Index(good, "\n")]
	zero := base64.StdEncoding.EncodeToString(make([]byte, 32))
	onionKey, encKey := base64.StdEncoding.EncodeToString(append([]byte{0, 1}, make([]byte, 30)...)), base64.StdEncoding.EncodeToString(append([]byte{0, 2}, make([]byte, 30)...))
	for _, tt := range []struct {
		edit
		ok bool
	}{
		{edit{name: "as it is"}, true},
		{edit{name: "unknown item", old: kwAuthCert, new: "hello world\n" + kwAuthCert}, true},
		{edit{name: "another onion key beside it", old: kwOnionKey, new: kwOnionKey + " pq AAAA\n" + kwOnionKey}, true},
		{edit{name: "legacy key", old: kwEncKey + " ", new: "legacy-key\n-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n" + kwEncKey + " "}, true},
		{edit{name: "no link specifiers", old: " " + specs, new: ""}, false},
		{edit{name: "two lists of link specifiers", old: specs, new: specs + " " + specs}, false},
		{edit{name: "link specifiers are no base64", old: specs, new: "$$$$"}, false},
		{edit{name: "empty list of link specifiers", old: specs, new: "AA=="}, false},
		{edit{name: "bytes behind the link specifiers", old: specs, new: "AAAA"}, false},
		{edit{name: "link specifier of wrong length", old: specs, new: "AQIA"}, false},
		{edit{name: "no onion key", old: kwOnionKey, new: "other"}, false},
		{edit{name: "onion key of another kind alone", old: kwOnionKey + " ntor", new: kwOnionKey + " pq"}, false},
		{edit{name: "short onion key", old: onionKey, new: "AAAA"}, false},
		{edit{name: "zero onion key", old: onionKey, new: zero}, false},
		{edit{name: "no authentication key", old: kwAuthCert + "\n", new: "other\n"}, false},
		{edit{name: "authentication key with argument", old: kwAuthCert + "\n", new: kwAuthCert + " x\n"}, false},
		{edit{name: "authentication key without certificate", old: kwAuthCert + "\n", new: kwAuthCert + "\nother\n"}, false},
		{edit{name: "no encryption key", old: "\n" + kwEncKey + " ", new: "\nother "}, false},
		{edit{name: "encryption key of another kind", old: kwEncKey + " ntor", new: kwEncKey + " pq"}, false},
		{edit{name: "zero encryption key", old: encKey, new: zero}, false},
		{edit{name: "certificates swapped", old: auth, new: enc}, false},
		{edit{name: "other type of certificate", old: auth, new: cert(torcert.TypeHSSigning, signing, nil)}, false},
		{edit{name: "certificate by another key", old: auth, new: cert(torcert.TypeHSIntroAuth, blinded, nil)}, false},
		{edit{name: "certificate that does not tell by whom", old: auth, new: cert(torcert.TypeHSIntroAuth, signing, func(c *torcert.Cert) { c.SignedWith = nil })}, false},
		{edit{name: "expired certificate", old: enc, new: cert(torcert.TypeHSIntroEnc, signing, func(c *torcert.Cert) { c.Expires = now.Add(-time.Hour) })}, false},
		{edit{name: "no certificate of the encryption key", old: kwEncKeyCert, new: "other"}, false},
		{edit{name: "other tag", old: "-----BEGIN ED25519 CERT-----\n" + enc + "-----END ED25519 CERT-----", new: "-----BEGIN CROSSCERT-----\n" + enc + "-----END CROSSCERT-----"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := head + string(tt.apply(t, good)) + good
			in, err := ParseInner([]byte(text), pub(signing), now)
			want := 1
			if tt.ok {
				want = 2
			}
			if err != nil || len(in.Points) != want {
				t.Errorf("got %+v, error %v, want %d points", in, err, want)
			}
		})
	}
}

func FuzzParseMiddle(f *testing.F) {
	f.Add([]byte(textOf(f, sampleMiddle())))
	f.Add([]byte("desc-auth-type x25519\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		m, err := ParseMiddle(text)
		if !bytes.Equal(text, before) {
			t.Fatal("the parser changed its input")
		}
		if err != nil {
			return
		}
		if again, err := ParseMiddle([]byte(textOf(t, m))); err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%q: got %+v, then %+v, error %v", text, m, again, err)
		}
	})
}

func FuzzParseInner(f *testing.F) {
	f.Add([]byte(textOf(f, sampleInner(f, 2))))
	f.Add([]byte("create2-formats 2\npow-params v1 x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		in, err := ParseInner(text, pub(signing), now)
		if !bytes.Equal(text, before) {
			t.Fatal("the parser changed its input")
		}
		if err != nil || in.FlowControl != nil && in.FlowControl.Versions.IsEmpty() {
			return
		}
		again, err := ParseInner(fmt.Append(nil, textOf(t, in)), pub(signing), now)
		if err != nil || !reflect.DeepEqual(again, in) {
			t.Errorf("%q: got %+v, then %+v, error %v", text, in, again, err)
		}
	})
}
