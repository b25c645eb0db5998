package keyfile

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

func ctorFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "ctor", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// codec is a parser and its counterpart, as one function: it returns what is appended after parsing.
type codec func([]byte) ([]byte, error)

func edSecret(tag string) codec {
	return func(b []byte) ([]byte, error) {
		k, err := ParseEdSecret(b, tag)
		if err != nil {
			return nil, err
		}
		return k.AppendTo(nil, tag)
	}
}

func edPublic(b []byte) ([]byte, error) {
	k, err := ParseEdPublic(b, TagMaster)
	if err != nil {
		return nil, err
	}
	return AppendEdPublic(nil, TagMaster, k)
}

func edCert(b []byte) ([]byte, error) {
	c, err := ParseEdCert(b, TagSigning)
	if err != nil {
		return nil, err
	}
	return AppendEdCert(nil, TagSigning, c)
}

func onion(b []byte) ([]byte, error) {
	k, err := ParseOnion(b)
	if err != nil {
		return nil, err
	}
	return k.AppendTo(nil)
}

func rsaSecret(b []byte) ([]byte, error) {
	k, err := ParseRSA(b, rsakey.RelayBits, rsakey.RelayBits)
	if err != nil {
		return nil, err
	}
	return k.AppendTo(nil)
}

func box(b []byte) ([]byte, error) {
	k, err := ParseBox(b)
	if err != nil {
		return nil, err
	}
	return k.AppendTo(nil)
}

func fingerprint(b []byte) ([]byte, error) {
	f, err := ParseFingerprint(b)
	if err != nil {
		return nil, err
	}
	return f.AppendTo(nil)
}

func edFingerprint(b []byte) ([]byte, error) {
	f, err := ParseEdFingerprint(b)
	if err != nil {
		return nil, err
	}
	return f.AppendTo(nil)
}

func familyID(b []byte) ([]byte, error) {
	id, err := ParseFamilyID(b)
	if err != nil {
		return nil, err
	}
	return AppendFamilyID(nil, id), nil
}

func tagged(b []byte) ([]byte, error) {
	f, err := ParseTagged(b)
	if err != nil {
		return nil, err
	}
	return f.AppendTo(nil)
}

// ctorFiles are all kinds of files of C tor.
var ctorFiles = []struct {
	name  string
	codec codec
}{
	{"ed25519_master_id_secret_key", edSecret(TagMaster)},
	{"ed25519_master_id_public_key", edPublic},
	{"ed25519_signing_secret_key", edSecret(TagSigning)},
	{"ed25519_signing_cert", edCert},
	{"secret_onion_key_ntor", onion},
	{"secret_id_key", rsaSecret},
	{"secret_onion_key", rsaSecret},
	{"boxed_secret_key", box},
	{"one.secret_family_key", edSecret(TagFamily)},
	{"one.public_family_id", familyID},
	{"fingerprint", fingerprint},
	{"fingerprint-ed25519", edFingerprint},
	{"ed25519_signing_cert", tagged},
}

// What C tor wrote is written back byte for byte, but for the zero byte behind RSA keys, and no part of it passes for the
// whole.
func TestCTorFiles(t *testing.T) {
	for _, tt := range ctorFiles {
		t.Run(tt.name, func(t *testing.T) {
			b := ctorFile(t, tt.name)
			if bytes.HasPrefix(b, []byte("-----")) {
				b = bytes.TrimSuffix(b, []byte{0})
			}
			got, err := tt.codec(b)
			if err != nil || !bytes.Equal(got, b) {
				t.Errorf("got %d bytes, %v; want the %d of the file", len(got), err, len(b))
			}
			for n := range len(b) - 1 {
				if got, err := tt.codec(b[:n]); err == nil && bytes.Equal(got, b) {
					t.Errorf("the first %d bytes pass for the file", n)
				}
			}
		})
	}
}

// The files of one relay belong together.
func TestCTorKeys(t *testing.T) {
	master, err := ParseEdSecret(ctorFile(t, "ed25519_master_id_secret_key"), TagMaster)
	if err != nil {
		t.Fatal(err)
	}
	if pub, err := ParseEdPublic(ctorFile(t, "ed25519_master_id_public_key"), TagMaster); pub != master.ID() {
		t.Errorf("master key: got %x, %v; want %x", pub, err, master.ID())
	}
	if f, err := ParseEdFingerprint(ctorFile(t, "fingerprint-ed25519")); f != (EdFingerprint{"Probe", master.ID()}) {
		t.Errorf("fingerprint-ed25519: got %v, %v", f, err)
	}
	signing, err := ParseEdSecret(ctorFile(t, "ed25519_signing_secret_key"), TagSigning)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ParseEdCert(ctorFile(t, "ed25519_signing_cert"), TagSigning)
	if err != nil {
		t.Fatal(err)
	}
	if cert.Type != torcert.TypeIDSigning || cert.Key != signing.ID() || cert.VerifySignature(master.Public().(ed25519.PublicKey)) != nil {
		t.Errorf("certificate does not say that the master key vouches for the signing key")
	}
	rsa, err := ParseRSA(ctorFile(t, "secret_id_key"), 1024, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := ParseFingerprint(ctorFile(t, "fingerprint")); f != (Fingerprint{"Probe", rsa.Fingerprint()}) {
		t.Errorf("fingerprint: got %v, %v", f, err)
	}
	family, err := ParseEdSecret(ctorFile(t, "one.secret_family_key"), TagFamily)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := ParseFamilyID(ctorFile(t, "one.public_family_id")); id != family.ID() {
		t.Errorf("family: got %x, %v; want %x", id, err, family.ID())
	}
}

// Signatures of an expanded key are those of the key it comes from: Ed25519 leaves no choice.
//
// https://www.rfc-editor.org/rfc/rfc8032#section-7.1
func TestEdSecretSigns(t *testing.T) {
	const seedHex = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb" // TEST 2
	const pubHex = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
	const sigHex = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
		"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
	seed, _ := hex.DecodeString(seedHex)
	k := EdFromSeed((*[32]byte)(seed))
	sig, err := k.Sign(nil, []byte{0x72}, crypto.Hash(0))
	if id := k.ID(); err != nil || hex.EncodeToString(id[:]) != pubHex || hex.EncodeToString(sig) != sigHex {
		t.Errorf("got %x, %x, %v", id, sig, err)
	}
	if _, err := k.Sign(nil, make([]byte, 32), crypto.SHA256); err == nil {
		t.Error("signs a digest")
	}
	k.Wipe()
	if _, err := k.Sign(nil, nil, nil); !errors.Is(err, ErrWiped) {
		t.Errorf("wiped key: %v", err)
	}
	if _, err := k.AppendTo(nil, TagMaster); !errors.Is(err, ErrWiped) {
		t.Errorf("wiped key: %v", err)
	}
	if _, err := Seal(k, nil); !errors.Is(err, ErrWiped) {
		t.Errorf("wiped key: %v", err)
	}
	k.Wipe()
}

func TestGenerate(t *testing.T) {
	ed, onionKey := GenerateEd(), GenerateOnion()
	key, err := GenerateRSA(rsakey.RelayBits)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() ([]byte, error){
		"Ed25519": func() ([]byte, error) {
			b, err := ed.AppendTo(nil, TagMaster)
			if err != nil {
				return nil, err
			}
			k, err := ParseEdSecret(b, TagMaster)
			if err == nil && k.ID() != ed.ID() {
				err = ErrMismatch
			}
			return b, err
		},
		"onion": func() ([]byte, error) {
			b, err := onionKey.AppendTo(nil)
			if err != nil {
				return nil, err
			}
			k, err := ParseOnion(b)
			if err == nil && k.Public() != onionKey.Public() {
				err = ErrMismatch
			}
			return b, err
		},
		"RSA": func() ([]byte, error) {
			b, err := key.AppendTo(nil)
			if err != nil {
				return nil, err
			}
			k, err := ParseRSA(b, 1024, 1024)
			if err == nil && !k.Key().Equal(key.Key()) {
				err = ErrMismatch
			}
			return b, err
		},
	} {
		if b, err := f(); err != nil || len(b) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if sig, err := ed.Sign(nil, []byte("m"), crypto.Hash(0)); err != nil || !ed25519.Verify(ed.Public().(ed25519.PublicKey), []byte("m"), sig) {
		t.Errorf("signature: %v", err)
	}
}

// No verb prints a secret, not even inside a struct that hides its fields.
func TestNothingSecretPrinted(t *testing.T) {
	ed, onionKey := GenerateEd(), GenerateOnion()
	key, err := GenerateRSA(1024)
	if err != nil {
		t.Fatal(err)
	}
	edFile, _ := ed.AppendTo(nil, TagMaster)
	file, err := ParseTagged(edFile)
	if err != nil {
		t.Fatal(err)
	}
	secrets := [][]byte{edFile[HeaderLen:][:32], edFile[HeaderLen+32:], onionKey.Key().Bytes(), key.Key().D.Bytes(), key.Key().Primes[0].Bytes()}
	type holder struct {
		a EdSecret
		b *OnionSecret
		c RSASecret
	}
	for _, v := range []any{ed, *ed, onionKey, *onionKey, key, *key, file, &file, holder{*ed, onionKey, *key}, []any{ed, key}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d", "%q"} {
			out := fmt.Sprintf(verb, v)
			for _, s := range secrets {
				for _, form := range []string{string(s), hex.EncodeToString(s), fmt.Sprint(s), fmt.Sprintf("%d", s)[1:20], key.Key().D.String()} {
					if strings.Contains(out, form) {
						t.Fatalf("%s of %T prints a secret", verb, v)
					}
				}
			}
		}
	}
}
