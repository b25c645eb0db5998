package authcert

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

var (
	// moria1 is a certificate of a public authority of 2020.
	//go:embed testdata/moria1.txt
	moria1 []byte
	// cachedCerts is the file of that name that C tor 0.4.9.6 wrote in a test network.
	//go:embed testdata/cached-certs.txt
	cachedCerts []byte
)

// https://spec.torproject.org/dir-spec/creating-key-certificates.html
func TestParse(t *testing.T) {
	c, err := Parse(moria1)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%X", c.Fingerprint); got != "ED03BB616EB2F60BEC80151114BB25CEF515B226" {
		t.Errorf("fingerprint %s", got)
	}
	if got := fmt.Sprintf("%X", c.SigningFP); got != "C4F720E2C59F9DDD4867FFF465CA04031E35648F" {
		t.Errorf("signing key %s", got)
	}
	if want := time.Date(2020, 4, 18, 8, 36, 57, 0, time.UTC); !c.Published.Equal(want) || !c.Expires.Equal(want.AddDate(1, 0, 0)) {
		t.Errorf("published %v, expires %v", c.Published, c.Expires)
	}
	if c.Identity.N.BitLen() != 3072 || c.Signing.N.BitLen() != 2048 || c.DirPort.IsValid() || !bytes.Equal(c.Text, moria1) {
		t.Errorf("got %+v", c)
	}
}

func TestSplit(t *testing.T) {
	parts := slices.Collect(Split(cachedCerts))
	if len(parts) < 2 || !bytes.Equal(bytes.Join(parts, nil), cachedCerts) {
		t.Fatalf("got %d parts", len(parts))
	}
	for i, text := range parts {
		c, err := Parse(text)
		if err != nil {
			t.Errorf("certificate %d: %v", i, err)
		} else if c.DirPort.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
			t.Errorf("certificate %d: %v", i, c.DirPort)
		}
	}
	junk := append([]byte("junk\nmore\n"), moria1...)
	if parts := slices.Collect(Split(junk)); len(parts) != 1 || !bytes.Equal(parts[0], moria1) {
		t.Errorf("text before: got %q", parts)
	}
	for _, none := range []string{"", "junk", "dir-key-certificate-version"} {
		if parts := slices.Collect(Split([]byte(none))); len(parts) != 0 {
			t.Errorf("%q: got %q", none, parts)
		}
	}
	for range Split(cachedCerts) {
		break
	}
}

func testKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestMake(t *testing.T) {
	identity, signing := testKey(t), testKey(t)
	published := time.Date(2026, 8, 20, 1, 2, 3, 0, time.UTC)
	for _, dirPort := range []netip.AddrPort{{}, netip.MustParseAddrPort("127.0.0.1:7000")} {
		text, err := Make(identity, signing, published, published.AddDate(0, 3, 0), dirPort)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if !c.Identity.Equal(&identity.PublicKey) || !c.Signing.Equal(&signing.PublicKey) || c.DirPort != dirPort ||
			!c.Published.Equal(published) || !c.Expires.Equal(published.AddDate(0, 3, 0)) {
			t.Errorf("got %+v", c)
		}
	}
}

// replace changes a certificate of our own.
func replace(t *testing.T, identity, signing *rsa.PrivateKey, old, new string) []byte {
	t.Helper()
	text, err := Make(identity, signing, time.Unix(1e9, 0), time.Unix(2e9, 0), netip.MustParseAddrPort("1.2.3.4:80"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("no %q in the certificate", old)
	}
	return []byte(strings.Replace(string(text), old, new, 1))
}

func TestBadCerts(t *testing.T) {
	identity, signing := testKey(t), testKey(t)
	for _, tt := range []struct {
		name, old, new string
		want           error
	}{
		{"version", "version 3", "version 4", ErrVersion},
		{"no version", "dir-key-certificate-version 3\n", "", netdoc.ErrMisplaced},
		{"item before", "dir-key-cert", "hello\ndir-key-cert", netdoc.ErrMisplaced},
		{"no fingerprint", "fingerprint ", "thumbprint ", netdoc.ErrMissing},
		{"twice", "dir-address", "dir-address 1.2.3.4:9\ndir-address", netdoc.ErrTooMany},
		{"address without port", "1.2.3.4:80", "1.2.3.4", netdoc.ErrBadValue},
		{"IPv6 address", "1.2.3.4:80", "[::1]:80", netdoc.ErrBadValue},
		{"other fingerprint", "fingerprint ", "fingerprint 00", netdoc.ErrBadValue},
		{"no time", "published 2001", "published x001", netdoc.ErrBadValue},
		{"other time", "published 2001", "published 2002", rsakey.ErrSignature},
		{"no crosscert", "dir-key-crosscert", "dir-key-other", netdoc.ErrMissing},
		{"tag of crosscert", "ID SIGNATURE", "MY SIGNATURE", netdoc.ErrBadObject},
		{"key without object", "dir-signing-key\n", "dir-signing-key\nx\n", netdoc.ErrMissing},
		{"tag of key", "RSA PUBLIC KEY", "RSA PRIVATE KEY", netdoc.ErrBadObject},
		{"cut", "-----END SIGNATURE-----\n", "", netdoc.ErrTruncated},
		{"item behind", "-----END SIGNATURE-----\n", "-----END SIGNATURE-----\nhello\n", netdoc.ErrMisplaced},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := replace(t, identity, signing, tt.old, tt.new)
			if tt.name == "tag of crosscert" || tt.name == "tag of key" {
				text = []byte(strings.Replace(string(text), tt.old, tt.new, 1)) // the end line
			}
			if c, err := Parse(text); !errors.Is(err, tt.want) {
				t.Errorf("got %v, error %v, want %v", c, err, tt.want)
			}
		})
	}
	other := rsakey.Fingerprint(&signing.PublicKey)
	fp := rsakey.Fingerprint(&identity.PublicKey)
	text := replace(t, identity, signing, fmt.Sprintf("%X", fp), fmt.Sprintf("%X", other))
	if _, err := Parse(text); !errors.Is(err, ErrFingerprint) {
		t.Errorf("fingerprint of another key: %v", err)
	}
	if _, err := Parse(make([]byte, MaxLen+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("long: %v", err)
	}
}

// An authority that certifies a signing key without a proof from that key.
func TestStolenSigningKey(t *testing.T) {
	identity, signing := testKey(t), testKey(t)
	text, err := Make(identity, signing, time.Unix(1e9, 0), time.Unix(2e9, 0), netip.AddrPort{})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(digest []byte, key *rsa.PrivateKey) []byte {
		sig, err := rsakey.SignRaw(key, digest)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	e := netdoc.NewEncoder(text[:bytes.Index(text, []byte("dir-key-crosscert"))])
	e.Item("dir-key-crosscert").Object("ID SIGNATURE", sign(make([]byte, 20), identity))
	e.Item(kwCertification)
	signed, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	digest := sha1.Sum(signed)
	e.Object("SIGNATURE", sign(digest[:], identity))
	if text, err = e.Bytes(); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(text); !errors.Is(err, rsakey.ErrSignature) || !strings.Contains(err.Error(), "crosscert") {
		t.Errorf("got %v", err)
	}
}

// The fuzz target leaves signatures out: no fuzzer makes one.
func FuzzParse(f *testing.F) {
	f.Add(moria1)
	f.Add(slices.Collect(Split(cachedCerts))[0])
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		for text := range Split(data) {
			n += len(text)
			p := parser{cert: Cert{Text: text}}
			if p.parse() == nil && (p.cert.Identity == nil || p.cert.Signing == nil || p.cert.Published.IsZero()) {
				t.Fatalf("incomplete: %+v", p.cert)
			}
		}
		if n > len(data) {
			t.Fatal("parts overlap")
		}
	})
}
