package rsakey

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"
)

// The identity key of Arti's test certificates, crates/tor-cert/tests/testvec_certs.rs.
const identityHex = "30818902818100d38b1e6ceb946e0db0751f4cbace3dcb9688b6c25304227b4710c35afb73627e50500f5913e158b6" +
	"21802612d1c75827003703338375237552eb3cd3c12f6ab3604e60c1a2d26bb1fbad206ff023969a90909d6a65a5458a5312c26ebd3a3dad" +
	"30302d4515cdcd264146ac18e6fc60a04bd3ec327f04294d96ba5aa25b464c3f0203010001"

func identity(t testing.TB) []byte {
	t.Helper()
	der, err := hex.DecodeString(identityHex)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestParse(t *testing.T) {
	der := identity(t)
	pub, err := ParseDER(der, 1024, 1024)
	if err != nil {
		t.Fatal(err)
	}
	want, err := x509.ParsePKCS1PublicKey(der)
	if err != nil || !pub.Equal(want) {
		t.Errorf("got %v, want %v, %v", pub, want, err)
	}
	if got := AppendDER([]byte("x"), pub); string(got) != "x"+string(der) {
		t.Errorf("got %x", got)
	}
	again, err := ParsePEM(append([]byte("\n"), AppendPEM(nil, pub)...), 1024, 1024)
	if err != nil || !again.Equal(pub) {
		t.Errorf("PEM: %v, %v", again, err)
	}
}

// https://spec.torproject.org/tor-spec/preliminaries.html
func TestFingerprint(t *testing.T) {
	pub, err := ParseDER(identity(t), 1024, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if got := Fingerprint(pub); hex.EncodeToString(got[:]) != "2f1fb49bb332a9eec617e41e911c33fb3890aef3" {
		t.Errorf("got %x", got)
	}
}

func TestBadKeys(t *testing.T) {
	good := identity(t)
	change := func(at int, b ...byte) []byte {
		der := bytes.Clone(good)
		copy(der[at:], b)
		return der
	}
	key := func(bits uint, e int) []byte {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return AppendDER(nil, &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: e})
	}
	for _, tt := range []struct {
		name string
		der  []byte
		want error
	}{
		{"empty", nil, ErrKey},
		{"truncated", good[:len(good)-1], ErrKey},
		{"trailing byte", append(bytes.Clone(good), 0), ErrKey},
		{"no sequence", change(0, 0x31), ErrKey},
		{"negative modulus", change(6, 0xff), ErrKey},
		{"padded modulus", change(6, 0, 0), ErrKey},
		{"even modulus", change(len(good)-6, 0x3e), ErrKey},
		{"empty sequence", []byte{0x30, 0}, ErrKey},
		{"no number", []byte{0x30, 2, 2, 0}, ErrKey},
		{"exponent 3", key(1024, 3), ErrExponent},
		{"one bit less", key(1023, 65537), ErrSize},
		{"one bit more", key(1025, 65537), ErrSize},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := CheckDER(tt.der, 1024, 1024); !errors.Is(err, tt.want) {
				t.Errorf("CheckDER: %v, want %v", err, tt.want)
			}
			if pub, err := ParseDER(tt.der, 1024, 1024); !errors.Is(err, tt.want) || pub != nil {
				t.Errorf("ParseDER: %v, %v, want %v", pub, err, tt.want)
			}
		})
	}
	for name, text := range map[string]string{
		"empty":          "",
		"other type":     "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n",
		"no end":         "-----BEGIN RSA PUBLIC KEY-----\nAA==\n",
		"bad base64":     "-----BEGIN RSA PUBLIC KEY-----\n!\n-----END RSA PUBLIC KEY-----\n",
		"headers":        "-----BEGIN RSA PUBLIC KEY-----\nA: b\n\nAA==\n-----END RSA PUBLIC KEY-----\n",
		"two blocks":     "-----BEGIN RSA PUBLIC KEY-----\nAA==\n-----END RSA PUBLIC KEY-----\n-----BEGIN X-----\n-----END X-----\n",
		"text before it": "x\n-----BEGIN RSA PUBLIC KEY-----\nAA==\n-----END RSA PUBLIC KEY-----\n",
	} {
		if pub, err := ParsePEM([]byte(text), 1024, 1024); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, %v", name, pub, err)
		}
	}
}

func TestSignature(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	digest := bytes.Repeat([]byte{7}, 20)
	sig, err := SignRaw(key, digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyRaw(&key.PublicKey, digest, sig); err != nil {
		t.Error(err)
	}
	for name, tt := range map[string]struct{ digest, sig []byte }{
		"other digest":   {bytes.Repeat([]byte{8}, 20), sig},
		"shorter digest": {digest[:19], sig},
		"changed":        {digest, append(bytes.Clone(sig[:127]), sig[127]^1)},
		"short":          {digest, sig[:127]},
		"empty":          {digest, nil},
	} {
		if err := VerifyRaw(&key.PublicKey, tt.digest, tt.sig); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SignRaw(key, make([]byte, 200)); err == nil {
		t.Error("data longer than the key is signed")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(identity(f))
	f.Add(AppendPEM(nil, &rsa.PublicKey{N: new(big.Int).SetBytes(bytes.Repeat([]byte{0xff}, 128)), E: exponent}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte, int, int) (*rsa.PublicKey, error){ParseDER, ParsePEM} {
			pub, err := parse(data, 1, MaxBits)
			if err != nil {
				continue
			}
			if again, err := ParsePEM(AppendPEM(nil, pub), 1, MaxBits); err != nil || !again.Equal(pub) {
				t.Fatalf("%v is read again as %v, %v", pub, again, err)
			}
			Fingerprint(pub)
			if VerifyRaw(pub, make([]byte, 20), make([]byte, pub.Size())) == nil {
				t.Fatal("a signature of zeros is right")
			}
		}
		if pub, err := x509.ParsePKCS1PublicKey(data); (err == nil) != (CheckDER(data, 1, 1<<30) == nil) && err == nil &&
			pub.E == exponent && pub.N.Bit(0) == 1 {
			t.Fatalf("x509 takes %x", data)
		}
	})
}
