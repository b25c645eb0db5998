package keyfile

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// file makes a tagged file without asking AppendTo.
func file(head string, body ...byte) []byte {
	return append(append([]byte(head), make([]byte, max(0, HeaderLen-len(head)))...), body...)
}

func TestBadTagged(t *testing.T) {
	zeros := make([]byte, 64)
	edHead := "== ed25519v1-secret: type0 =="
	noPoint := append([]byte{2}, make([]byte, 31)...) // y = 2: x² is no square
	order, _ := new(big.Int).SetString("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed", 16)
	orderLE := make([]byte, 64)
	for i, v := range order.Bytes() {
		orderLE[31-i] = v
	}
	badOnion := ctorFile(t, "secret_onion_key_ntor")
	badOnion[len(badOnion)-1] ^= 1
	for _, tt := range []struct {
		name  string
		codec codec
		file  []byte
		want  error
	}{
		{"empty", tagged, nil, ErrLength},
		{"header alone is short", tagged, []byte("== a: b =="), ErrLength},
		{"too long", tagged, file("== a: b ==", make([]byte, MaxBody+1)...), ErrLength},
		{"no start", tagged, file("=  a: b =="), ErrFormat},
		{"no end", tagged, file("== a: b  ="), ErrFormat},
		{"no tag", tagged, file("== a: =="), ErrFormat},
		{"no type", tagged, file("== : b =="), ErrFormat},
		{"no separator", tagged, file("== ab =="), ErrFormat},
		{"two separators", tagged, file("== a: b: c =="), ErrFormat},
		{"control character", tagged, file("== a: b\n =="), ErrFormat},
		{"text after a zero byte", tagged, file("== a: b ==\x00x"), ErrFormat},
		{"no zero byte", tagged, file("== a: " + strings.Repeat("b", 23) + " =="), ErrFormat},
		{"start and end overlap", tagged, file("== =="), ErrFormat},

		{"another type", edSecret(TagMaster), file("== ed25519v1-public: type0 ==", zeros...), ErrType},
		{"another tag", edSecret(TagMaster), file("== ed25519v1-secret: type4 ==", zeros...), ErrTag},
		{"short secret", edSecret(TagMaster), file(edHead, zeros[:63]...), ErrLength},
		{"long secret", edSecret(TagMaster), file(edHead, make([]byte, 65)...), ErrLength},
		{"zero secret", edSecret(TagMaster), file(edHead, zeros...), ErrKey},
		{"zero modulo the order", edSecret(TagMaster), file(edHead, orderLE...), ErrKey},

		{"not on the curve", edPublic, file("== ed25519v1-public: type0 ==", noPoint...), ErrKey},
		{"short public", edPublic, file("== ed25519v1-public: type0 ==", zeros[:31]...), ErrLength},
		{"empty certificate", edCert, file("== ed25519v1-cert: type4 =="), torcert.ErrMalformed},
		{"short onion key", onion, file("== c25519v1: onion ==", zeros[:63]...), ErrLength},
		{"another onion key", onion, badOnion, ErrMismatch},
	} {
		if _, err := tt.codec(tt.file); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestBadTaggedAppend(t *testing.T) {
	for _, tt := range []struct {
		name string
		file Tagged
		want error
	}{
		{"no type", Tagged{"", "b", nil}, ErrFormat},
		{"no tag", Tagged{"a", "", nil}, ErrFormat},
		{"separator", Tagged{"a: b", "c", nil}, ErrFormat},
		{"long header", Tagged{"a", strings.Repeat("b", 23), nil}, ErrFormat},
		{"long body", Tagged{"a", "b", make([]byte, MaxBody+1)}, ErrLength},
	} {
		if _, err := tt.file.AppendTo(nil); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func pemOf(typ string, headers map[string]string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: typ, Headers: headers, Bytes: der})
}

func TestBadRSA(t *testing.T) {
	good := bytes.TrimSuffix(ctorFile(t, "secret_id_key"), []byte{0})
	block, _ := pem.Decode(good)
	larger, err := rsa.GenerateKey(rand.Reader, 1032)
	if err != nil {
		t.Fatal(err)
	}
	change := func(find, put string) []byte { return bytes.Replace(block.Bytes, []byte(find), []byte(put), 1) }
	flipped := bytes.Clone(block.Bytes)
	flipped[len(flipped)-1] ^= 1
	for _, tt := range []struct {
		name string
		file []byte
		want error
	}{
		{"empty", nil, ErrFormat},
		{"too long", append(bytes.Clone(good), bytes.Repeat([]byte(" "), MaxRSALen)...), ErrLength},
		{"text before", append([]byte("x\n"), good...), ErrFormat},
		{"two zero bytes", append(bytes.Clone(good), 0, 0), ErrFormat},
		{"text after", append(bytes.Clone(good), 'x'), ErrFormat},
		{"two keys", append(bytes.Clone(good), good...), ErrFormat},
		{"public key", pemOf("RSA PUBLIC KEY", nil, block.Bytes), ErrFormat},
		{"another end", bytes.Replace(good, []byte("END RSA"), []byte("END DSA"), 1), ErrFormat},
		{"encrypted", pemOf(tagRSA, map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, block.Bytes), ErrEncrypted},
		{"headers", pemOf(tagRSA, map[string]string{"A": "b"}, block.Bytes), ErrFormat},
		{"no DER", pemOf(tagRSA, nil, []byte("no")), ErrKey},
		{"short", pemOf(tagRSA, nil, block.Bytes[:len(block.Bytes)-1]), ErrKey},
		{"trailing byte", pemOf(tagRSA, nil, append(bytes.Clone(block.Bytes), 0)), ErrKey},
		{"version", pemOf(tagRSA, nil, change("\x02\x01\x00", "\x02\x01\x01")), ErrKey},
		{"exponent", pemOf(tagRSA, nil, change("\x02\x03\x01\x00\x01", "\x02\x03\x01\x00\x03")), rsakey.ErrExponent},
		{"changed number", pemOf(tagRSA, nil, flipped), ErrKey},
		{"larger", pemOf(tagRSA, nil, x509.MarshalPKCS1PrivateKey(larger)), rsakey.ErrSize},
		{"smaller", []byte(rsa512), rsakey.ErrSize},
	} {
		if _, err := rsaSecret(tt.file); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := ParseRSA(pemOf(tagRSA, nil, x509.MarshalPKCS1PrivateKey(larger)), 1024, 2048); err != nil {
		t.Errorf("larger key where it may be: %v", err)
	}
	windows := bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n"))
	if got, err := rsaSecret(windows); err != nil || !bytes.Equal(got, good) {
		t.Errorf("other line ends: %v", err)
	}
}

func TestBadLines(t *testing.T) {
	const hex40, b43 = "165B76010F020DCC39C71C78FCB813D159FABCCB", "HGSRMhE+rSB9Dez6wNSCejMi2ICCmb/c6TJZ3Fnx1n8"
	for _, tt := range []struct {
		name  string
		codec codec
		file  string
		want  error
	}{
		{"empty", fingerprint, "", ErrFormat},
		{"too long", fingerprint, strings.Repeat("A", 200), ErrLength},
		{"no nickname", fingerprint, " " + hex40, ErrFormat},
		{"bad nickname", fingerprint, "no-name " + hex40, ErrFormat},
		{"two spaces", fingerprint, "name  " + hex40[1:], ErrFormat},
		{"short", fingerprint, "name " + hex40[1:], ErrFormat},
		{"long", fingerprint, "name " + hex40 + "00", ErrFormat},
		{"no digit", fingerprint, "name G" + hex40[1:], ErrFormat},
		{"second line", fingerprint, "name " + hex40 + "\n\n", ErrFormat},
		{"empty", edFingerprint, "", ErrFormat},
		{"short", edFingerprint, "name " + b43[1:], ErrFormat},
		{"padded", edFingerprint, "name " + b43 + "=", ErrFormat},
		{"loose bits", edFingerprint, "name " + b43[:42] + "9", ErrFormat},
		{"line end inside", edFingerprint, "name " + b43[:42] + "\n", ErrFormat},
		{"empty", familyID, "\n", ErrFormat},
		{"too long", familyID, strings.Repeat("A", 200), ErrLength},
		{"prefix", familyID, "ed25519:" + b43, ErrFormat},
		{"no digit", familyID, "*" + b43[1:], ErrFormat},
	} {
		if _, err := tt.codec([]byte(tt.file)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	for _, s := range []string{"name " + hex40, "name " + strings.ToLower(hex40) + "\r\n"} {
		if got, err := fingerprint([]byte(s)); err != nil || string(got) != "name "+hex40+"\n" {
			t.Errorf("%q: got %q, %v", s, got, err)
		}
	}
	if _, err := (Fingerprint{Nickname: "a b"}).AppendTo(nil); !errors.Is(err, ErrFormat) {
		t.Errorf("nickname: %v", err)
	}
}
