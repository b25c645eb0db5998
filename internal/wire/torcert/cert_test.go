package torcert

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"
	"time"
)

//go:embed testdata/certs.json
var vectorJSON []byte

// hexBytes is a byte string that is written in hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type vectors struct {
	SigningKey  hexBytes   `json:"signing_key"`
	IdentityKey hexBytes   `json:"identity_key"`
	ValidAt     time.Time  `json:"valid_at"`
	IDSigning   certVector `json:"ed_id_signing_cert_type4"`
	SigningLink certVector `json:"ed_signing_link_cert_type5"`
	Cross       struct {
		Cert     hexBytes
		RSA      hexBytes `json:"rsa_pk_der"`
		OtherRSA hexBytes `json:"wrong_rsa_pk_der"`
	} `json:"rsa_to_ed_crosscert_type7"`
}

type certVector struct {
	Cert    hexBytes
	Expires time.Time
}

func loadVectors(t testing.TB) (v vectors) {
	t.Helper()
	if err := json.Unmarshal(vectorJSON, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// https://spec.torproject.org/cert-spec.html#ed-certs
func TestCert(t *testing.T) {
	v := loadVectors(t)
	c, err := Parse(v.IDSigning.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if c.Type != TypeIDSigning || c.KeyType != KeyEd25519 || !bytes.Equal(c.Key[:], v.SigningKey) ||
		c.SignedWith == nil || !bytes.Equal(c.SignedWith[:], v.IdentityKey) || !c.Expires.Equal(v.IDSigning.Expires) {
		t.Errorf("type 4: got %+v", c)
	}
	if !bytes.Equal(c.Bytes(), v.IDSigning.Cert) {
		t.Errorf("type 4: bytes are %x", c.Bytes())
	}
	for name, pub := range map[string]ed25519.PublicKey{"named": nil, "known": ed25519.PublicKey(v.IdentityKey)} {
		if err := c.Verify(pub, v.ValidAt); err != nil {
			t.Errorf("type 4, %s key: %v", name, err)
		}
	}

	link, err := Parse(v.SigningLink.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if link.Type != TypeSigningLink || link.KeyType != KeyX509SHA256 || link.SignedWith != nil || !link.Expires.Equal(v.SigningLink.Expires) {
		t.Errorf("type 5: got %+v", link)
	}
	if err := link.Verify(c.Key[:], v.ValidAt); err != nil {
		t.Errorf("type 5: %v", err)
	}

	for _, bad := range []struct {
		name string
		cert *Cert
		pub  ed25519.PublicKey
		now  time.Time
		want error
	}{
		{"last second", link, c.Key[:], v.SigningLink.Expires, nil},
		{"expired", link, c.Key[:], v.SigningLink.Expires.Add(time.Second), ErrExpired},
		{"no key named", link, nil, v.ValidAt, ErrMissing},
		{"key of another", link, ed25519.PublicKey(v.IdentityKey), v.ValidAt, ErrSignature},
		{"other key than named", c, c.Key[:], v.ValidAt, ErrWrongKey},
		{"short key", link, c.Key[:31], v.ValidAt, ErrWrongKey},
		{"empty key", link, ed25519.PublicKey{}, v.ValidAt, ErrWrongKey},
	} {
		if err := bad.cert.Verify(bad.pub, bad.now); !errors.Is(err, bad.want) {
			t.Errorf("%s: got error %v, want %v", bad.name, err, bad.want)
		}
	}
}

func TestEveryByteIsSigned(t *testing.T) {
	v := loadVectors(t)
	for i := range v.IDSigning.Cert {
		b := bytes.Clone(v.IDSigning.Cert)
		b[i] ^= 1
		if c, err := Parse(b); err == nil && c.Verify(ed25519.PublicKey(v.IdentityKey), v.ValidAt) == nil {
			t.Errorf("byte %d changed: accepted", i)
		}
	}
}

// A certificate from a router descriptor, by an onion key: C tor, src/test/test_microdesc.c.
func TestCertOfDescriptor(t *testing.T) {
	b, err := base64.StdEncoding.DecodeString("AQoABs2OASeZZEasi+qlvgqTdxOESJYCWXi4MI7Zjjq42b1YbsC0AKc5y5qYUYvw" +
		"VATtWkV9DVIZbZSb9mQP5pmNaqmX+DbmINCYt8j7l+U7g3ftUyh0Wlrgevx0pFUIRcIU0HKHZQA=")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(b)
	if err != nil || c.Type != TypeNtorCross || c.SignedWith != nil {
		t.Errorf("got %+v, error %v", c, err)
	}
}

// with builds a certificate with the given extensions and no valid signature.
func with(count byte, extensions ...byte) []byte {
	b := append([]byte{1, 4, 0, 6, 0xcc, 0x2a, 1}, make([]byte, 32)...)
	b = append(append(b, count), extensions...)
	return append(b, make([]byte, 64)...)
}

func TestParse(t *testing.T) {
	signedWith := append([]byte{0, 32, extSignedWith, 0}, make([]byte, 32)...)
	for _, c := range []struct {
		name string
		in   []byte
		want error
	}{
		{"no extensions", with(0), nil},
		{"signing key", with(1, signedWith...), nil},
		{"signing key marked critical", with(1, append([]byte{0, 32, extSignedWith, 1}, make([]byte, 32)...)...), nil},
		{"unknown extension", with(1, 0, 3, 99, 0, 1, 2, 3), nil},
		{"unknown extension with other flags", with(1, 0, 0, 99, 0xfe), nil},
		{"255 extensions", with(255, make([]byte, 4*255)...), nil},

		{"empty", nil, ErrMalformed},
		{"version alone", []byte{1}, ErrMalformed},
		{"a signature and nothing else", make([]byte, 64), ErrMalformed},
		{"version 0", append([]byte{0}, with(0)[1:]...), ErrMalformed},
		{"version 2", append([]byte{2}, with(0)[1:]...), ErrMalformed},
		{"header cut", with(0)[1:], ErrMalformed},
		{"last byte missing", with(0)[:103], ErrMalformed},
		{"byte added", append(with(0), 0), ErrMalformed},
		{"extension missing", with(1), ErrMalformed},
		{"extension not counted", with(0, 0, 0, 99, 0), ErrMalformed},
		{"extension cut", with(1, 0, 5, 99, 0, 1, 2, 3), ErrMalformed},
		{"extension as long as it gets", with(1, 0xff, 0xff, 99, 0), ErrMalformed},
		{"signing key too short", with(1, append([]byte{0, 31, extSignedWith, 0}, make([]byte, 31)...)...), ErrMalformed},
		{"signing key too long", with(1, append([]byte{0, 33, extSignedWith, 0}, make([]byte, 33)...)...), ErrMalformed},
		{"signing key twice", with(2, append(bytes.Clone(signedWith), signedWith...)...), ErrMalformed},
		{"unknown extension that matters", with(1, 0, 0, 99, 1), ErrExtension},
		{"the same with other flags", with(1, 0, 0, 99, 0xff), ErrExtension},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse(c.in); !errors.Is(err, c.want) {
				t.Errorf("got error %v, want %v", err, c.want)
			}
		})
	}
}

func TestSign(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	pub := [32]byte(key.Public().(ed25519.PublicKey))
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, named := range []bool{false, true} {
		c := Cert{Type: TypeFamily, Expires: now, KeyType: KeyEd25519, Key: [32]byte{7}}
		if named {
			c.SignedWith = &pub
		}
		got, err := c.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		if got.Type != c.Type || got.Key != c.Key || (got.SignedWith != nil) != named || !got.Expires.Equal(now.Truncate(time.Hour).Add(time.Hour)) {
			t.Errorf("got %+v", got)
		}
		if err := got.Verify(pub[:], now); err != nil {
			t.Error(err)
		}
		b, err := c.AppendSigned([]byte("before"), key)
		if err != nil || !bytes.Equal(b, append([]byte("before"), got.Bytes()...)) {
			t.Errorf("appended: got %x, error %v", b, err)
		}
	}
	for name, c := range map[string]struct {
		cert Cert
		want error
	}{
		"names another key": {Cert{Expires: now, SignedWith: &[32]byte{1}}, ErrWrongKey},
		"expires in 1969":   {Cert{Expires: time.Unix(-1, 0)}, ErrMalformed},
		"expires too late":  {Cert{Expires: time.Unix(3600<<32, 0)}, ErrMalformed},
	} {
		if _, err := c.cert.Sign(key); !errors.Is(err, c.want) {
			t.Errorf("%s: got error %v, want %v", name, err, c.want)
		}
	}
}

// https://spec.torproject.org/cert-spec.html#rsa-cross-cert
func TestRSACrosscert(t *testing.T) {
	v := loadVectors(t)
	c, err := ParseRSACrosscert(v.Cross.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.Ed[:], v.IdentityKey) {
		t.Errorf("got key %x, want %x", c.Ed, v.IdentityKey)
	}
	key, err := x509.ParsePKCS1PublicKey(v.Cross.RSA)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.ParsePKCS1PublicKey(v.Cross.OtherRSA)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(key, v.ValidAt); err != nil {
		t.Error(err)
	}
	if err := c.Verify(other, v.ValidAt); !errors.Is(err, ErrSignature) {
		t.Errorf("other key: got error %v, want %v", err, ErrSignature)
	}
	if err := c.Verify(key, c.Expires); err != nil {
		t.Errorf("last second: %v", err)
	}
	if err := c.Verify(key, c.Expires.Add(time.Second)); !errors.Is(err, ErrExpired) {
		t.Errorf("expired: got error %v, want %v", err, ErrExpired)
	}
	for i := range v.Cross.Cert {
		b := bytes.Clone(v.Cross.Cert)
		b[i] ^= 1
		if c, err := ParseRSACrosscert(b); err == nil && c.Verify(key, v.ValidAt) == nil {
			t.Errorf("byte %d changed: accepted", i)
		}
	}
	for n := range v.Cross.Cert {
		if _, err := ParseRSACrosscert(v.Cross.Cert[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("cut to %d bytes: got error %v, want %v", n, err, ErrMalformed)
		}
	}
	if _, err := ParseRSACrosscert(append(v.Cross.Cert, 0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("byte added: got error %v, want %v", err, ErrMalformed)
	}
}

func FuzzParse(f *testing.F) {
	v := loadVectors(f)
	f.Add([]byte(v.IDSigning.Cert))
	f.Add([]byte(v.SigningLink.Cert))
	f.Add(with(1, 0, 3, 99, 0, 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Bytes(), b) {
			t.Errorf("%x became %x", b, c.Bytes())
		}
		if hours, err := toHours(c.Expires); err != nil || !fromHours(hours).Equal(c.Expires) {
			t.Errorf("%v became %v, error %v", c.Expires, fromHours(hours), err)
		}
		c.VerifySignature(nil)
	})
}

func FuzzParseRSACrosscert(f *testing.F) {
	v := loadVectors(f)
	f.Add([]byte(v.Cross.Cert))
	key, err := x509.ParsePKCS1PublicKey(v.Cross.RSA)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseRSACrosscert(b)
		if err == nil && c.Verify(key, time.Time{}) == nil && !bytes.Equal(b, v.Cross.Cert) {
			t.Errorf("accepted %x", b)
		}
	})
}
