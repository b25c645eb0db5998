package hsdesc

import (
	"bytes"
	"crypto/ed25519"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

//go:embed testdata
var testdata embed.FS

const (
	spec = "https://spec.torproject.org/rend-spec/hsdesc-outer.html"
	size = 50000
)

// real are descriptors that others made.
var real = []struct {
	file     string
	at       time.Time
	blinded  string
	revision uint64
}{
	// C tor 0.4.9.11 in a test network, fetched from a directory by another C tor. The service is
	// s5orujbp47asgnnyelr257sfa7wx3m63obcmxlg2mfyirajzjnnkr4id.onion.
	{"ctor.txt", time.Date(2026, 11, 26, 21, 24, 52, 0, time.UTC), "223bd48992d646891127d876478dec834b185ec57e850838cd0160884cb9c55c", 9287313},
	// Arti's test data, crates/tor-netdoc/src/doc/hsdesc.rs.
	{"arti.txt", time.Date(2023, 1, 23, 15, 0, 0, 0, time.UTC), "43cc0d62fc6252f578705ca645a46109e265290343b1137e90189744b20b3f2d", 19655750},
	{"arti-client-auth.txt", time.Date(2023, 2, 10, 0, 0, 0, 0, time.UTC), "706628758208395d461aa0f460a5e76e7b828c66b5e794768592b451302e961d", 1763078644},
}

func readFile(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := testdata.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// https://spec.torproject.org/rend-spec/hsdesc-outer.html
func TestRealDescriptors(t *testing.T) {
	for _, tt := range real {
		text := readFile(t, tt.file)
		o, err := ParseOuter(text, size, tt.at)
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		// "Before encryption the plaintext is padded with NUL bytes to the nearest multiple of 10k bytes."
		if hex.EncodeToString(o.BlindedKey()[:]) != tt.blinded || o.Revision != tt.revision || o.Lifetime != DefaultLifetime ||
			len(o.Superencrypted) != 10000+minEncrypted-1 {
			t.Errorf("%s: got %x, revision %d, lifetime %v, %d bytes encrypted", tt.file, *o.BlindedKey(), o.Revision, o.Lifetime, len(o.Superencrypted))
		}
		for name, bad := range map[string]struct {
			size int
			at   time.Time
			want error
		}{
			"fits":         {len(text) + 1, tt.at, nil},
			"too long":     {len(text), tt.at, ErrTooLong},
			"last second":  {size, o.Cert.Expires, nil},
			"cert expired": {size, o.Cert.Expires.Add(time.Second), torcert.ErrExpired},
		} {
			if _, err := ParseOuter(text, bad.size, bad.at); !errors.Is(err, bad.want) {
				t.Errorf("%s, %s: got error %v, want %v", tt.file, name, err, bad.want)
			}
		}
	}
}

var (
	now     = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	blinded = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	signing = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
)

func pub(key ed25519.PrivateKey) [32]byte { return [32]byte(key.Public().(ed25519.PublicKey)) }

// certOf makes a certificate that change may make wrong.
func certOf(tb testing.TB, change func(*torcert.Cert)) *torcert.Cert {
	tb.Helper()
	by := pub(blinded)
	c := &torcert.Cert{
		Type: torcert.TypeHSSigning, Expires: now.Add(54 * time.Hour), KeyType: torcert.KeyEd25519, Key: pub(signing), SignedWith: &by,
	}
	if change != nil {
		change(c)
	}
	c, err := c.Sign(blinded)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func sample(tb testing.TB) *Outer {
	return &Outer{Lifetime: DefaultLifetime, Cert: certOf(tb, nil), Revision: 7, Superencrypted: bytes.Repeat([]byte{3}, 100)}
}

func sign(tb testing.TB, o *Outer) string {
	tb.Helper()
	text, err := o.AppendSigned(nil, signing)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// resign signs a changed descriptor anew.
func resign(text string) string {
	at := strings.LastIndex(text, "\nsignature ") + 1
	return text[:at] + "signature " + base64.RawStdEncoding.EncodeToString(ed25519.Sign(signing, signedText([]byte(text[:at])))) + "\n"
}

func TestEveryByteIsSigned(t *testing.T) {
	text := sign(t, sample(t))
	for i := range len(text) - 1 { // the last newline is nobody's
		b := []byte(text)
		b[i] ^= 1
		if _, err := ParseOuter(b, size, now); err == nil {
			t.Errorf("byte %d changed: accepted", i)
		}
	}
}

func TestMake(t *testing.T) {
	for name, change := range map[string]func(*Outer){
		"usual":           func(*Outer) {},
		"first revision":  func(o *Outer) { o.Revision = 0 },
		"last revision":   func(o *Outer) { o.Revision = math.MaxUint64 },
		"shortest life":   func(o *Outer) { o.Lifetime = MinLifetime },
		"longest life":    func(o *Outer) { o.Lifetime = MaxLifetime },
		"least encrypted": func(o *Outer) { o.Superencrypted = o.Superencrypted[:minEncrypted] },
	} {
		o := sample(t)
		change(o)
		text, err := o.AppendSigned([]byte("before"), signing)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, ok := bytes.CutPrefix(text, []byte("before"))
		got, err := ParseOuter(text, size, now)
		if !ok || err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("%s: got %+v, error %v, want %+v", name, got, err, o)
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*Outer)
		key    ed25519.PrivateKey
		want   error
	}{
		{"key of another", func(*Outer) {}, blinded, ErrKey},
		{"too short a life", func(o *Outer) { o.Lifetime = MinLifetime - 1 }, signing, ErrLifetime},
		{"too long a life", func(o *Outer) { o.Lifetime = MaxLifetime + 1 }, signing, ErrLifetime},
		{"nothing encrypted", func(o *Outer) { o.Superencrypted = o.Superencrypted[:minEncrypted-1] }, signing, ErrTooShort},
		{"type of certificate", func(o *Outer) { o.Cert = certOf(t, func(c *torcert.Cert) { c.Type++ }) }, signing, torcert.ErrType},
	} {
		o := sample(t)
		tt.change(o)
		if text, err := o.AppendSigned(nil, tt.key); !errors.Is(err, tt.want) || text != nil {
			t.Errorf("%s: got %q, error %v, want %v", tt.name, text, err, tt.want)
		}
	}
}

// The output of C tor, byte for byte, comes out again of what was read, but for the signature.
func TestMakeLikeCTor(t *testing.T) {
	text := readFile(t, real[0].file)
	o, err := ParseOuter(text, size, real[0].at)
	if err != nil {
		t.Fatal(err)
	}
	c := *o.Cert
	c.Key = pub(signing)
	copied := *o
	copied.Cert = &c
	got := sign(t, &copied)
	want, _, _ := strings.Cut(string(text), "\nsignature ")
	if got, _, _ := strings.Cut(got, "\nsignature "); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// https://spec.torproject.org/rend-spec/hsdesc-outer.html
func TestParse(t *testing.T) {
	good := sign(t, sample(t))
	certBytes := func(b []byte) string {
		return strings.Replace(good, base64Lines(sample(t).Cert.Bytes()), base64Lines(b), 1)
	}
	cert := func(change func(*torcert.Cert)) string { return certBytes(certOf(t, change).Bytes()) }
	forged := certOf(t, nil).Bytes()
	forged[len(forged)-1] ^= 1
	message := func(body string) string {
		return strings.Replace(good, base64Lines(sample(t).Superencrypted), body, 1)
	}
	for _, tt := range []struct {
		name, old, new string
		want           error
	}{
		// What C tor takes as well.
		{"no newline at the end", "end", "", nil},
		{"unknown item", "revision-counter", "hello world\nrevision-counter", nil},
		{"unknown item with object", "revision-counter", "hello\n-----BEGIN X-----\nAAAA\n-----END X-----\nrevision-counter", nil},
		{"leading zero", "counter 7", "counter 007", nil},

		{"other version", "hs-descriptor 3", "hs-descriptor 4", ErrVersion},
		{"version written otherwise", "hs-descriptor 3", "hs-descriptor 03", ErrVersion},
		{"no version", "hs-descriptor 3", "hs-descriptor", netdoc.ErrMissing},
		{"argument behind the version", "hs-descriptor 3", "hs-descriptor 3 4", netdoc.ErrTooMany},
		{"version not first", "hs-descriptor 3", "hello\nhs-descriptor 3", netdoc.ErrMisplaced},
		{"version twice", "hs-descriptor 3\n", "hs-descriptor 3\nhs-descriptor 3\n", netdoc.ErrTooMany},
		{"annotation", "hs-descriptor 3\n", "@hello\nhs-descriptor 3\n", netdoc.ErrMisplaced},

		{"no lifetime", "descriptor-lifetime 180\n", "", netdoc.ErrMissing},
		{"lifetime twice", "descriptor-lifetime 180\n", "descriptor-lifetime 180\ndescriptor-lifetime 180\n", netdoc.ErrTooMany},
		{"lifetime without number", "lifetime 180", "lifetime", netdoc.ErrMissing},
		{"two lifetimes", "lifetime 180", "lifetime 180 180", netdoc.ErrTooMany},
		{"lifetime is no number", "lifetime 180", "lifetime 18O", netdoc.ErrBadValue},
		{"negative lifetime", "lifetime 180", "lifetime -180", netdoc.ErrBadValue},
		{"short lifetime", "lifetime 180", "lifetime 29", ErrLifetime},
		{"long lifetime", "lifetime 180", "lifetime 721", ErrLifetime},
		{"lifetime that overflows 32 bits in seconds", "lifetime 180", "lifetime 71582791", ErrLifetime},
		{"lifetime of more than 32 bits", "lifetime 180", "lifetime 4294967476", netdoc.ErrBadValue},

		{"no certificate", kwCert + "\n", "other-cert\n", netdoc.ErrMissing},
		{"certificate with argument", kwCert + "\n", kwCert + " x\n", netdoc.ErrTooMany},
		{"certificate without object", kwCert + "\n", kwCert + "\nx\n", netdoc.ErrMissing},
		{"tag of certificate", "BEGIN ED25519 CERT-----", "BEGIN ED25519 KEY-----", netdoc.ErrBadObject},
		{"certificate is no base64", "-----BEGIN ED25519 CERT-----\n", "-----BEGIN ED25519 CERT-----\n!", netdoc.ErrBadObject},

		{"no revision", "revision-counter 7\n", "", netdoc.ErrMissing},
		{"revision without number", "counter 7", "counter", netdoc.ErrMissing},
		{"two revisions", "counter 7", "counter 7 8", netdoc.ErrTooMany},
		{"negative revision", "counter 7", "counter -7", netdoc.ErrBadValue},
		{"revision with sign", "counter 7", "counter +7", netdoc.ErrBadValue},
		{"revision in hex", "counter 7", "counter 0x7", netdoc.ErrBadValue},
		{"revision of 65 bits", "counter 7", "counter 18446744073709551616", netdoc.ErrBadValue},

		{"nothing encrypted", kwSuperencrypted + "\n", "other\n", netdoc.ErrMissing},
		{"encrypted with argument", kwSuperencrypted + "\n", kwSuperencrypted + " x\n", netdoc.ErrTooMany},
		{"tag of encrypted data", "MESSAGE", "MASSAGE", netdoc.ErrBadObject},

		{"no signature", "\nsignature ", "\nother ", netdoc.ErrMissing},
		{"signature twice", "\nsignature ", "\nsignature x\nsignature ", netdoc.ErrBadValue},
		{"empty signature", "\nsignature ", "\nsignature\nx ", netdoc.ErrMissing},
		{"signature after tab", "\nsignature ", "\nsignature\t", netdoc.ErrBadKeyword},
		{"signature after opt", "\nsignature ", "\nopt signature ", netdoc.ErrBadKeyword},
		{"short signature", "\nsignature ", "\nsignature A ", netdoc.ErrTooMany},
		{"long signature", "\nsignature ", "\nsignature AA", netdoc.ErrBadValue},
		{"item behind", "end", "\nhello\n", netdoc.ErrMisplaced},
		{"argument behind", "end", " x\n", netdoc.ErrTooMany},
		{"padded signature", "end", "==\n", netdoc.ErrBadValue},

		{"carriage return", "counter 7", "counter 7\r", netdoc.ErrBadByte},
		{"NUL", "counter 7", "counter 7\x00", netdoc.ErrBadByte},
		{"long line", "counter 7", "counter " + strings.Repeat("7", netdoc.MaxLineLen), netdoc.ErrTooLong},
		{"changed", "counter 7", "counter 8", ErrSignature},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var text string
			if tt.old == "end" {
				text = strings.TrimSuffix(good, "\n") + tt.new
			} else if text = strings.Replace(good, tt.old, tt.new, 1); text == good {
				t.Fatalf("no %q in the descriptor", tt.old)
			}
			if tt.want == nil {
				text = resign(text + "\n")
				if tt.old == "end" {
					text = strings.TrimSuffix(text, "\n")
				}
			}
			check(t, text, tt.want)
		})
	}
	for _, tt := range []struct {
		name, text string
		want       error
	}{
		{"empty", "", netdoc.ErrMissing},
		{"blank lines", "\n\n", netdoc.ErrMissing},
		{"cut within the message", good[:strings.Index(good, "-----END MESSAGE")], netdoc.ErrTruncated},
		{"two of them", good + good, netdoc.ErrMisplaced},

		{"type of certificate", cert(func(c *torcert.Cert) { c.Type = torcert.TypeIDSigning }), torcert.ErrType},
		{"certificate without blinded key", cert(func(c *torcert.Cert) { c.SignedWith = nil }), torcert.ErrMissing},
		{"expired certificate", resign(cert(func(c *torcert.Cert) { c.Expires = now.Add(-time.Hour) })), torcert.ErrExpired},
		{"certificate about another key", resign(cert(func(c *torcert.Cert) { c.Key = pub(blinded) })), ErrSignature},
		{"forged certificate", resign(certBytes(forged)), torcert.ErrSignature},
		{"short certificate", certBytes(forged[:60]), torcert.ErrMalformed},
		{"long certificate", certBytes(make([]byte, 2048)), netdoc.ErrTooLong},

		{"empty message", message(""), ErrTooShort},
		{"salt and MAC alone", message(base64Lines(make([]byte, minEncrypted-1))), ErrTooShort},
		{"one byte of ciphertext", resign(message(base64Lines(make([]byte, minEncrypted)))), nil},
		{"message is no base64", message("AAA$\n"), netdoc.ErrBadObject},
		{"message without end", message("AAAA\n-----END OTHER-----\n"), netdoc.ErrBadObject},
		{"long object", message(strings.Repeat(strings.Repeat("A", 64)+"\n", netdoc.MaxObjectLen/64)), netdoc.ErrTooLong},
		{"longer than the limit", message(strings.Repeat(strings.Repeat("A", 64)+"\n", 4096)), ErrTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) { check(t, tt.text, tt.want) })
	}
}

func check(t *testing.T, text string, want error) {
	t.Helper()
	o, err := ParseOuter([]byte(text), 4*size, now)
	if !errors.Is(err, want) || (o == nil) != (err != nil) {
		t.Errorf("got %+v, error %v, want %v\nsee %s", o, err, want, spec)
	}
}

func base64Lines(b []byte) string {
	text := base64.StdEncoding.EncodeToString(b)
	var lines strings.Builder
	for ; text != ""; text = text[min(len(text), 64):] {
		lines.WriteString(text[:min(len(text), 64)] + "\n")
	}
	return lines.String()
}

// Descriptors that a fuzzer makes have no good signatures, so this is about the text alone.
func FuzzParseOuter(f *testing.F) {
	for _, tt := range real {
		f.Add(readFile(f, tt.file))
	}
	f.Add([]byte(sign(f, sample(f))))
	f.Add([]byte("hs-descriptor 3\ndescriptor-lifetime 30\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		ParseOuter(text, size, now)
		p := outerParser{text: text}
		err := p.parse()
		if !bytes.Equal(text, before) {
			t.Fatal("the parser changed its input")
		}
		if err != nil {
			return
		}
		c := *p.o.Cert // of which we have the key, so that it can be signed
		c.Key = pub(signing)
		p.o.Cert = &c
		again := outerParser{text: []byte(sign(t, &p.o))}
		if err := again.parse(); err != nil {
			t.Fatal(err)
		}
		again.o.Cert.Key = c.Key
		if !reflect.DeepEqual(again.o, p.o) {
			t.Errorf("%q: got %+v, then %+v", text, p.o, again.o)
		}
	})
}
