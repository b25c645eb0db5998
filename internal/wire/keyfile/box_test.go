package keyfile

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// cheap specs, one of each way.
var cheap = map[string]spec{
	"salted": append(append(spec{s2kSalted}, make([]byte, 8)...), 0),
	"PBKDF2": append(append(spec{s2kPBKDF2}, make([]byte, 16)...), 4),
	"scrypt": append(append(spec{s2kScrypt}, make([]byte, 16)...), 4, 3<<4|1),
}

func TestBox(t *testing.T) {
	key := GenerateEd()
	for name, how := range cheap {
		b, err := seal(key, []byte("pass"), how)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := b.AppendTo(nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := ParseBox(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := again.Open([]byte("pass")); err != nil || got.ID() != key.ID() {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
		if _, err := again.Open([]byte("Pass")); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: wrong passphrase: %v", name, err)
		}
		text[len(text)-40] ^= 1
		if again, err = ParseBox(text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := again.Open([]byte("pass")); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: damaged: %v", name, err)
		}
	}
}

// Debian's C tor made this box.
func TestCTorBox(t *testing.T) {
	b, err := ParseBox(ctorFile(t, "boxed_secret_key"))
	if err != nil {
		t.Fatal(err)
	}
	pub, err := ParseEdPublic(ctorFile(t, "boxed_public_key"), TagMaster)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := b.Open([]byte("correct horse")); err != nil || key.ID() != pub {
		t.Errorf("got %v, %v; want %x", key, err, pub)
	}
}

func TestSealWritesPBKDF2(t *testing.T) {
	if s := newSpec(); s[0] != s2kPBKDF2 || !s.affordable() {
		t.Errorf("got way %d", s[0])
	}
}

func TestBadBox(t *testing.T) {
	head := []byte("== Boxed Ed25519 key: master ==\x00")
	build := func(magic string, how spec, data int) []byte {
		b := append(slices.Clone(head), magic...)
		b = append(append(b, byte(len(how))), how...)
		return append(b, make([]byte, boxIVLen+data+boxMACLen)...)
	}
	with := func(name string, end ...byte) spec {
		s := slices.Clone(cheap[name])
		copy(s[len(s)-len(end):], end)
		return s
	}
	for _, tt := range []struct {
		name string
		file []byte
		want error
	}{
		{"empty", nil, ErrLength},
		{"no body", head, ErrFormat},
		{"magic", build("TORBOX01", cheap["salted"], 128), ErrFormat},
		{"no data", build(boxMagic, cheap["salted"], 0), ErrFormat},
		{"odd data", build(boxMagic, cheap["salted"], 127), ErrFormat},
		{"no way", build(boxMagic, nil, 128), ErrFormat},
		{"unknown way", build(boxMagic, spec{3, 0}, 128), ErrUnsupported},
		{"short way", build(boxMagic, cheap["salted"][:9], 128), ErrFormat},
		{"way longer than the file", append(slices.Clone(head), boxMagic+"\xff"...), ErrFormat},
		{"iterations", build(boxMagic, with("PBKDF2", 23), 128), ErrUnsupported},
		{"scrypt N of 1", build(boxMagic, with("scrypt", 0, 0), 128), ErrUnsupported},
		{"scrypt N", build(boxMagic, with("scrypt", 21, 0), 128), ErrUnsupported},
		{"scrypt N times r", build(boxMagic, with("scrypt", 15, 6<<4), 128), ErrUnsupported},
		{"scrypt p", build(boxMagic, with("scrypt", 4, 5), 128), ErrUnsupported},
		{"too long", build(boxMagic, cheap["salted"], 256), ErrLength},
	} {
		if _, err := ParseBox(tt.file); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// A box whose content is of another length than a key's is not opened, although its HMAC is right.
func TestBoxContent(t *testing.T) {
	b, err := seal(GenerateEd(), nil, cheap["salted"])
	if err != nil {
		t.Fatal(err)
	}
	b.data[3] ^= 1 // the length, through the cipher
	b.plain = append(b.plain[:len(b.plain)-len(b.data)], b.data...)
	k, err := b.keys(nil)
	if err != nil {
		t.Fatal(err)
	}
	k.mac.Write(b.plain)
	b.mac = [boxMACLen]byte(k.mac.Sum(nil))
	if _, err := b.Open(nil); !errors.Is(err, ErrLength) {
		t.Errorf("got %v", err)
	}
	if bytes.Equal(b.mac[:], make([]byte, boxMACLen)) {
		t.Error("no HMAC")
	}
}
