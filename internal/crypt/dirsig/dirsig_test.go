package dirsig

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
)

//go:embed testdata/router.txt
var router string // a router descriptor that C tor made (src/test/test_microdesc.c, test_ri)

// object returns the contents of the PEM object after the given line of the descriptor.
func object(t testing.TB, keyword string) []byte {
	t.Helper()
	_, after, ok := strings.Cut(router, "\n"+keyword+"\n")
	block, _ := pem.Decode([]byte(after))
	if !ok || block == nil {
		t.Fatalf("no object after %q", keyword)
	}
	return block.Bytes
}

// argument returns the rest of the line that begins with the keyword.
func argument(t testing.TB, keyword string) string {
	t.Helper()
	_, after, ok := strings.Cut(router, "\n"+keyword+" ")
	if !ok {
		t.Fatalf("no item %q", keyword)
	}
	line, _, _ := strings.Cut(after, "\n")
	return line
}

func masterKey(t testing.TB) [32]byte {
	t.Helper()
	b, err := base64.RawStdEncoding.DecodeString(argument(t, "master-key-ed25519"))
	if err != nil || len(b) != 32 {
		t.Fatal("master key:", err)
	}
	return [32]byte(b)
}

func identity(t testing.TB) *rsa.PublicKey {
	t.Helper()
	pub, err := ParsePublicKey(object(t, "signing-key"))
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

func upTo(t testing.TB, mark string) []byte {
	t.Helper()
	i := strings.Index(router, mark)
	if i < 0 {
		t.Fatalf("no %q", mark)
	}
	return []byte(router[:i+len(mark)])
}

// https://spec.torproject.org/dir-spec/server-descriptor-format.html
func TestRouterDescriptor(t *testing.T) {
	id := identity(t)
	want := strings.ReplaceAll(argument(t, "fingerprint"), " ", "")
	if fp := Fingerprint(id); strings.ToUpper(hex.EncodeToString(fp[:])) != want {
		t.Errorf("fingerprint: got %X, want %s", fp, want)
	}
	digest := sha1.Sum(upTo(t, "\nrouter-signature\n"))
	if err := VerifyDigest(id, digest[:], object(t, "router-signature")); err != nil {
		t.Errorf("router-signature: %v", err)
	}

	onion, err := ParsePublicKey(object(t, "onion-key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyOnionKeyCrosscert(onion, Fingerprint(id), masterKey(t), object(t, "onion-key-crosscert")); err != nil {
		t.Errorf("onion-key-crosscert: %v", err)
	}

	signing := [32]byte(object(t, "identity-ed25519")[7:])
	sig, err := base64.RawStdEncoding.DecodeString(argument(t, "router-sig-ed25519"))
	if err != nil {
		t.Fatal(err)
	}
	text := upTo(t, "\nrouter-sig-ed25519 ")
	if err := VerifyDescriptor(signing, text, sig); err != nil {
		t.Errorf("router-sig-ed25519: %v", err)
	}
	for _, c := range []struct {
		name      string
		text, sig []byte
	}{
		{"text changed", append(bytes.Clone(text), ' '), sig},
		{"no text", nil, sig},
		{"signature short", text, sig[:63]},
		{"no signature", text, nil},
	} {
		if err := VerifyDescriptor(signing, c.text, c.sig); !errors.Is(err, ErrSignature) {
			t.Errorf("router-sig-ed25519, %s: got error %v, want %v", c.name, err, ErrSignature)
		}
	}
}

func TestSignDescriptor(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := SignDescriptor(key, []byte("router ...\nrouter-sig-ed25519 "))
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyDescriptor([32]byte(pub), []byte("router ...\nrouter-sig-ed25519 "), sig); err != nil {
		t.Error(err)
	}
}

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, IdentityBits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestDigest(t *testing.T) {
	key := newKey(t)
	d1, d256 := sha1.Sum([]byte("text")), sha256.Sum256([]byte("text"))
	for _, digest := range [][]byte{d1[:], d256[:]} {
		sig, err := SignDigest(key, digest)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyDigest(&key.PublicKey, digest, sig); err != nil {
			t.Errorf("%d bytes: %v", len(digest), err)
		}
		other := bytes.Clone(digest)
		other[0] ^= 1
		for _, c := range []struct {
			name        string
			digest, sig []byte
			want        error
		}{
			{"other digest", other, sig, ErrSignature},
			{"short signature", digest, sig[1:], ErrSignature},
			{"long signature", digest, append(bytes.Clone(sig), 0), ErrSignature},
			{"no signature", digest, nil, ErrSignature},
			{"no digest", nil, sig, ErrDigest},
			{"digest cut", digest[:16], sig, ErrDigest},
		} {
			if err := VerifyDigest(&key.PublicKey, c.digest, c.sig); !errors.Is(err, c.want) {
				t.Errorf("%d bytes, %s: got error %v, want %v", len(digest), c.name, err, c.want)
			}
		}
	}
	if _, err := SignDigest(key, make([]byte, 64)); !errors.Is(err, ErrDigest) {
		t.Errorf("digest of 64 bytes: got error %v, want %v", err, ErrDigest)
	}
}

func TestOnionKeyCrosscert(t *testing.T) {
	key := newKey(t)
	sig, err := SignOnionKeyCrosscert(key, [20]byte{1}, [32]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyOnionKeyCrosscert(&key.PublicKey, [20]byte{1}, [32]byte{2}, sig); err != nil {
		t.Error(err)
	}
	if err := VerifyOnionKeyCrosscert(&key.PublicKey, [20]byte{1}, [32]byte{3}, sig); !errors.Is(err, ErrSignature) {
		t.Errorf("other identity: got error %v, want %v", err, ErrSignature)
	}
}

func TestPEM(t *testing.T) {
	id := identity(t)
	text := EncodePublicKeyPEM(id)
	if !strings.Contains(router, string(text)) {
		t.Errorf("the descriptor has the key in another form than\n%s", text)
	}
	got, err := ParsePublicKeyPEM(text)
	if err != nil || !got.Equal(id) {
		t.Errorf("got key %v, error %v", got, err)
	}
	if got, want := Fingerprint256(id), sha256.Sum256(object(t, "signing-key")); got != want {
		t.Errorf("SHA-256 fingerprint: got %x, want %x", got, want)
	}
}

// der encodes a key without checks.
func der(t *testing.T, n *big.Int, e int) []byte {
	t.Helper()
	b, err := asn1.Marshal(struct {
		N *big.Int
		E int
	}{n, e})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBadKey(t *testing.T) {
	good := object(t, "signing-key")
	text := string(EncodePublicKeyPEM(identity(t)))
	bits := func(n uint) *big.Int { return new(big.Int).SetBit(big.NewInt(1), int(n-1), 1) }
	for _, c := range []struct {
		name string
		der  []byte
		want error
	}{
		{"empty", nil, ErrKey},
		{"cut", good[:len(good)-1], ErrKey},
		{"byte added", append(bytes.Clone(good), 0), ErrKey},
		{"too long to look at", make([]byte, 1<<20), ErrKeySize},
		{"1023 bits", der(t, bits(1023), 65537), ErrKeySize},
		{"4097 bits", der(t, bits(4097), 65537), ErrKeySize},
		{"negative", der(t, big.NewInt(-5), 65537), ErrKey},
		{"exponent 3", der(t, bits(1024), 3), ErrExponent},
		{"exponent 1", der(t, bits(1024), 1), ErrExponent},
		{"exponent 0", der(t, bits(1024), 0), ErrKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ParsePublicKey(c.der); !errors.Is(err, c.want) {
				t.Errorf("got error %v, want %v", err, c.want)
			}
		})
	}
	for _, c := range []struct {
		name, pem string
		want      error
	}{
		{"empty", "", ErrKey},
		{"not closed", text[:len(text)-10], ErrKey},
		{"text before", "x\n" + text, ErrKey},
		{"text after", text + "x", ErrKey},
		{"two", text + text, ErrKey},
		{"another object", strings.ReplaceAll(text, "RSA PUBLIC", "RSA PRIVATE"), ErrKey},
		{"header", strings.Replace(text, "-----\n", "-----\na: b\n\n", 1), ErrKey},
		{"bad base64", strings.Replace(text, "MI", "!!", 1), ErrKey},
		{"too long to look at", strings.Repeat("-----BEGIN ", 1e5), ErrKeySize},
	} {
		t.Run("PEM "+c.name, func(t *testing.T) {
			if _, err := ParsePublicKeyPEM([]byte(c.pem)); !errors.Is(err, c.want) {
				t.Errorf("got error %v, want %v", err, c.want)
			}
		})
	}
	for _, n := range []uint{1024, 4096} {
		if _, err := ParsePublicKey(der(t, bits(n), 65537)); err != nil {
			t.Errorf("%d bits: %v", n, err)
		}
	}
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(object(f, "signing-key"))
	f.Add(object(f, "onion-key"))
	f.Fuzz(func(t *testing.T, der []byte) {
		pub, err := ParsePublicKey(der)
		if err != nil {
			return
		}
		if again := x509.MarshalPKCS1PublicKey(pub); !bytes.Equal(again, der) {
			t.Errorf("%x became %x", der, again)
		}
		if VerifyDigest(pub, make([]byte, 20), make([]byte, pub.Size())) == nil {
			t.Error("a zero signature is good")
		}
	})
}

func FuzzParsePublicKeyPEM(f *testing.F) {
	f.Add(EncodePublicKeyPEM(identity(f)))
	f.Fuzz(func(t *testing.T, text []byte) {
		pub, err := ParsePublicKeyPEM(text)
		if err != nil {
			return
		}
		if again, err := ParsePublicKeyPEM(EncodePublicKeyPEM(pub)); err != nil || !again.Equal(pub) {
			t.Errorf("became %v, error %v", again, err)
		}
	})
}

func FuzzVerifyDigest(f *testing.F) {
	id := identity(f)
	digest := sha1.Sum(upTo(f, "\nrouter-signature\n"))
	good := object(f, "router-signature")
	f.Add(digest[:], good)
	f.Fuzz(func(t *testing.T, d, sig []byte) {
		if VerifyDigest(id, d, sig) == nil && (!bytes.Equal(d, digest[:]) || !bytes.Equal(sig, good)) {
			t.Errorf("forged: %x for %x", sig, d)
		}
	})
}
