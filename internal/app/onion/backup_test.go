package onion

import (
	"archive/tar"
	"bytes"
	"errors"
	"testing"

	"filippo.io/age"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// quickWork is less than we would use: tests restore often.
const quickWork = 2

func TestBackup(t *testing.T) {
	s := seeded(t, 1, "alice", "bob")
	s.balance = []byte("MasterOnionAddress x\n")
	pass := []byte("correct horse")
	b, err := s.Backup(pass, MinWork)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Restore(b, pass)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, s)
	if _, err := Restore(b, []byte("correct horse ")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := Restore(b, nil); !errors.Is(err, ErrPassphrase) {
		t.Errorf("no passphrase: %v", err)
	}
	if _, err := s.Backup(nil, MinWork); err == nil {
		t.Error("a backup without a passphrase")
	}
	for _, work := range []int{-1, MinWork - 1, MaxWork + 1} {
		if _, err := s.Backup(pass, work); !errors.Is(err, ErrWork) {
			t.Errorf("work of %d: %v", work, err)
		}
	}
}

// Nothing of a backup may change.
func TestRestoreDamaged(t *testing.T) {
	plain, err := seeded(t, 1, "alice").pack()
	if err != nil {
		t.Fatal(err)
	}
	b, pass := encrypt(t, plain), []byte("p")
	for i := 0; i < len(b); i += 7 {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, err := Restore(bad, pass); err == nil {
			t.Errorf("byte %d of %d may change", i, len(b))
		}
	}
	for _, n := range []int{0, 10, len(b) / 2, len(b) - 1} {
		if _, err := Restore(b[:n], pass); err == nil {
			t.Errorf("%d bytes of %d are enough", n, len(b))
		}
	}
}

// A backup by someone else may be anything.
func TestRestoreHostile(t *testing.T) {
	files, err := seeded(t, 1, "alice").files()
	if err != nil {
		t.Fatal(err)
	}
	others, err := seeded(t, 2).files()
	if err != nil {
		t.Fatal(err)
	}
	reg := func(name string, data []byte) tarFile { return tarFile{tar.TypeReg, name, data} }
	var good []tarFile
	for _, f := range files {
		good = append(good, reg(f.name, f.data))
	}
	with := func(more ...tarFile) []tarFile { return append(good[:len(good):len(good)], more...) }
	for _, tt := range []struct {
		name  string
		files []tarFile
		ok    bool
	}{
		{"good", good, true},
		{"empty", nil, false},
		{"out of the directory", with(reg("../evil", nil)), false},
		{"absolute", with(reg("/etc/passwd", nil)), false},
		{"client out of the directory", with(reg("authorized_clients/../../x.auth", files[3].data)), false},
		{"client with a name that no file may have", with(reg("authorized_clients/.x.auth", files[3].data)), false},
		{"unknown file", with(reg("torrc", nil)), false},
		{"link", with(tarFile{tar.TypeSymlink, "ob_config", nil}), false},
		{"directory", with(tarFile{tar.TypeDir, "authorized_clients/", nil}), false},
		{"twice", with(good[0]), false},
		{"no secret key", good[1:], false},
		{"no public key", append(good[:1:1], good[2:]...), false},
		{"public key of another", append([]tarFile{good[0], reg(keyfile.ServicePublicFile, others[1].data)}, good[2:]...), false},
		{"host name of another", append([]tarFile{good[0], good[1], reg(keyfile.ServiceHostnameFile, others[2].data)}, good[3:]...), false},
		{"bad client", with(reg("authorized_clients/eve.auth", []byte("x"))), false},
		{"large file", with(reg("ob_config", make([]byte, maxFile+1))), false},
	} {
		b := encrypt(t, tarOf(t, tt.files))
		if _, err := Restore(b, []byte("p")); err == nil != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// The work that a file asks for is bounded.
func TestRestoreWork(t *testing.T) {
	b := encrypt(t, nil)
	b = bytes.Replace(b, []byte(" 2\n"), []byte(" 30\n"), 1)
	if _, err := Restore(b, []byte("p")); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

type tarFile struct {
	kind byte
	name string
	data []byte
}

func tarOf(t testing.TB, files []tarFile) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		err := w.WriteHeader(&tar.Header{Typeflag: f.kind, Name: f.name, Linkname: "target", Mode: 0o600, Size: int64(len(f.data))})
		if err == nil && f.kind == tar.TypeReg {
			_, err = w.Write(f.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func encrypt(t testing.TB, plain []byte) []byte {
	t.Helper()
	to, err := age.NewScryptRecipient("p")
	if err != nil {
		t.Fatal(err)
	}
	to.SetWorkFactor(quickWork)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func FuzzUnpack(f *testing.F) {
	plain, err := seeded(f, 1, "alice").pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add(tarOf(f, []tarFile{{tar.TypeReg, keyfile.ServiceSecretFile, make([]byte, 96)}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := unpack(b)
		if err != nil {
			return
		}
		again, err := s.pack()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := unpack(again); err != nil || back.Address() != s.Address() || len(back.Clients) != len(s.Clients) {
			t.Errorf("%v", err)
		}
	})
}

// FuzzFile feeds whatever people may name as a file.
func FuzzFile(f *testing.F) {
	files, err := seeded(f, 1, "alice").files()
	if err != nil {
		f.Fatal(err)
	}
	for _, x := range files {
		f.Add(x.data)
	}
	f.Add(controlKey(f, seeded(f, 1)))
	f.Add([]byte(ageMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, descErr := Describe(bytes.Clone(b))
		if s, err := Import(bytes.Clone(b)); err == nil && (descErr != nil || !bytes.Contains([]byte(text), []byte(s.Address().String()))) {
			t.Errorf("imported %v, and described as %q, %v", s.Address(), text, descErr)
		}
		if addr, err := Check(string(b)); err == nil {
			if again, err := Check(addr.String()); err != nil || again != addr {
				t.Errorf("%v, %v", again, err)
			}
		}
		if key, err := ParseClientKey(string(b)); err == nil {
			if again, err := ParseClientKey(FormatClientKey(key)); err != nil || again != key {
				t.Errorf("%x, %v", again, err)
			}
		}
	})
}
