package onion

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"filippo.io/edwards25519"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

var quiet = slog.New(slog.DiscardHandler)

// seeded makes a service that is the same in each test.
func seeded(t testing.TB, seed byte, clients ...string) *Service {
	t.Helper()
	s := &Service{Key: keyfile.EdFromSeed(&[32]byte{seed})}
	for i, name := range clients {
		s.Clients = append(s.Clients, Client{name, [32]byte{9, byte(i)}})
	}
	return s
}

func installed(t testing.TB, s *Service) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hs")
	if err := s.Install(quiet, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// same compares what services are.
func same(t testing.TB, got, want *Service) {
	t.Helper()
	g, err1 := got.pack()
	w, err2 := want.pack()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(g, w) {
		t.Errorf("got %v with %v, want %v with %v", got.Address(), got.Clients, want.Address(), want.Clients)
	}
}

func TestInstall(t *testing.T) {
	for _, s := range []*Service{New(), seeded(t, 1, "alice", "bob"), {Key: keyfile.EdFromSeed(&[32]byte{2}), balance: []byte("MasterOnionAddress x\n")}} {
		dir := filepath.Join(t.TempDir(), "hs")
		if err := os.Mkdir(dir, 0o755); err != nil { // an empty one may be there
			t.Fatal(err)
		}
		if err := s.Install(quiet, dir); err != nil {
			t.Fatal(err)
		}
		got, notes, err := Load(dir)
		if err != nil || len(notes) > 0 {
			t.Fatalf("%v, %q", err, notes)
		}
		same(t, got, s)
		err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, walkErr error) error {
			if walkErr != nil {
				return walkErr
			}
			want := fs.FileMode(0o600)
			if e.IsDir() {
				want = 0o700
			}
			info, err := e.Info()
			if err == nil && info.Mode().Perm() != want && runtime.GOOS != "windows" {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		beside, err := os.ReadDir(filepath.Dir(dir))
		if err != nil || len(beside) != 1 {
			t.Errorf("left behind: %v, %v", beside, err)
		}
	}
}

func TestInstallRefuses(t *testing.T) {
	s := seeded(t, 1)
	dir := installed(t, s)
	if err := seeded(t, 2).Install(quiet, dir); !errors.Is(err, ErrExists) {
		t.Errorf("over another one: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	if err := s.Install(quiet, file); !errors.Is(err, ErrExists) {
		t.Errorf("over a file: %v", err)
	}
	if err := s.Install(quiet, filepath.Join(file, "hs")); err == nil {
		t.Error("in a file")
	}
	if err := s.Install(quiet, filepath.Join(t.TempDir(), "a", "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no directory: %v", err)
	}
	if err := new(Service).Install(quiet, filepath.Join(t.TempDir(), "hs")); !errors.Is(err, ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
	got, _, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, s)
}

func TestLoadBad(t *testing.T) {
	other := installed(t, seeded(t, 2))
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(other, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, tt := range []struct {
		name   string
		change func(dir string) error
		err    error  // of Load
		note   string // or what it notes
	}{
		{"no secret key", func(dir string) error { return os.Remove(filepath.Join(dir, keyfile.ServiceSecretFile)) }, ErrNoKey, ""},
		{"secret key cut", func(dir string) error { return os.Truncate(filepath.Join(dir, keyfile.ServiceSecretFile), 95) }, keyfile.ErrLength, ""},
		{"secret key that is a public one", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, keyfile.ServiceSecretFile), read(keyfile.ServicePublicFile), 0)
		}, keyfile.ErrType, ""},
		{"huge file", func(dir string) error { return os.Truncate(filepath.Join(dir, keyfile.ServiceSecretFile), 1<<40) }, keyfile.ErrLength, ""},
		{"directory for a file", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, keyfile.ServiceSecretFile)), os.Mkdir(filepath.Join(dir, keyfile.ServiceSecretFile), 0o700))
		}, nil, "not a regular file"},
		{"other public key", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, keyfile.ServicePublicFile), read(keyfile.ServicePublicFile), 0)
		}, keyfile.ErrMismatch, ""},
		{"no public key", func(dir string) error { return os.Remove(filepath.Join(dir, keyfile.ServicePublicFile)) }, nil, "hs_ed25519_public_key is not there"},
		{"other host name", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, keyfile.ServiceHostnameFile), read(keyfile.ServiceHostnameFile), 0)
		}, nil, "but the key's address is"},
		{"no host name", func(dir string) error { return os.Remove(filepath.Join(dir, keyfile.ServiceHostnameFile)) }, nil, "hostname is not there"},
		{"bad client", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, clientFile("eve")), []byte("descriptor:x25519:"), 0o600)
		}, keyfile.ErrLength, ""},
		{"other file", func(dir string) error { return os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600) }, nil, "notes.txt is none of the files"},
		{"file of a kill", func(dir string) error { return os.WriteFile(filepath.Join(dir, "hostname.tmp"), nil, 0o600) }, nil, ""},
		{"clients in a file", func(dir string) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, keyfile.ServiceClientsDir)), os.WriteFile(filepath.Join(dir, keyfile.ServiceClientsDir), nil, 0o600))
		}, nil, "not a directory"},
		{"open to others", func(dir string) error { return os.Chmod(dir, 0o755) }, nil, "mode 0755"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := installed(t, seeded(t, 1, "alice"))
			if err := tt.change(dir); err != nil {
				t.Fatal(err)
			}
			_, notes, err := Load(dir)
			text := strings.Join(notes, "\n")
			if err != nil {
				text += err.Error()
			}
			switch {
			case tt.err != nil && (!errors.Is(err, tt.err) || !strings.Contains(text, dir)):
				t.Errorf("got %v, want %v", err, tt.err)
			case tt.err == nil && !strings.Contains(text, tt.note):
				t.Errorf("got %q, want %q", text, tt.note)
			case tt.err == nil && tt.note == "" && text != "":
				t.Errorf("got %q", text)
			}
		})
	}
	if _, _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

func TestClients(t *testing.T) {
	dir := installed(t, seeded(t, 1))
	list := func() string {
		t.Helper()
		clients, err := Clients(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range clients {
			if c.Err != nil {
				c.Name += "!"
			}
			names = append(names, c.Name)
		}
		return strings.Join(names, " ")
	}
	alice, err := NewClientKey(seeded(t, 1).Address())
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		what string
		err  error
		do   func() error
		want string
	}{
		{"first", nil, func() error { return Authorize(quiet, dir, Client{"alice", alice.Public()}) }, "alice"},
		{"same name", ErrExists, func() error { return Authorize(quiet, dir, Client{"alice", [32]byte{9}}) }, "alice"},
		{"same key", ErrExists, func() error { return Authorize(quiet, dir, Client{"bob", alice.Public()}) }, "alice"},
		{"key of small order", keyfile.ErrKey, func() error { return Authorize(quiet, dir, Client{"bob", [32]byte{1}}) }, "alice"},
		{"bad name", ErrName, func() error { return Authorize(quiet, dir, Client{"../bob", [32]byte{9}}) }, "alice"},
		{"hidden name", ErrName, func() error { return Authorize(quiet, dir, Client{".bob", [32]byte{9}}) }, "alice"},
		{"last", ErrPublic, func() error { return Revoke(quiet, dir, "alice", false) }, "alice"},
		{"unknown", ErrNoClient, func() error { return Revoke(quiet, dir, "bob", false) }, "alice"},
		{"bad file", nil, func() error { return os.WriteFile(filepath.Join(dir, clientFile("bad")), nil, 0o600) }, "alice bad!"},
		{"last good one", ErrPublic, func() error { return Revoke(quiet, dir, "alice", false) }, "alice bad!"},
		{"second", nil, func() error { return Authorize(quiet, dir, Client{"bob", [32]byte{9}}) }, "alice bad! bob"},
		{"remove a bad file", nil, func() error { return Revoke(quiet, dir, "bad", false) }, "alice bob"},
		{"remove one of two", nil, func() error { return Revoke(quiet, dir, "alice", false) }, "bob"},
		{"open", nil, func() error { return Revoke(quiet, dir, "bob", true) }, ""},
	}
	for _, s := range steps {
		if err := s.do(); !errors.Is(err, s.err) {
			t.Errorf("%s: got %v, want %v", s.what, err, s.err)
		}
		if got := list(); got != s.want {
			t.Errorf("%s: clients are %q, want %q", s.what, got, s.want)
		}
	}
}

func TestParseClientKey(t *testing.T) {
	want := [32]byte{9, 8, 7}
	digits := FormatClientKey(want)
	for text, ok := range map[string]bool{
		digits: true, " " + strings.ToUpper(digits) + "\n": true, "descriptor:x25519:" + digits: true,
		"": false, digits[1:]: false, "descriptor:x25519": false, "introduce:x25519:" + digits: false, digits[1:] + "1": false,
	} {
		got, err := ParseClientKey(text)
		if err == nil != ok || ok && got != want {
			t.Errorf("%q: got %x, %v", text, got, err)
		}
	}
}

func TestCheck(t *testing.T) {
	addr := seeded(t, 1).Address().Label()
	address := func(key []byte) string { return onionaddr.Address(key).Label() }
	small := make([]byte, 32) // y = 0, of order 4
	zero := append([]byte{1}, make([]byte, 31)...)
	key := seeded(t, 1).Key.ID()
	twisted := twist(t, key)
	for _, tt := range []struct{ text, words string }{
		{addr, ""},
		{addr + ".onion", ""},
		{strings.ToUpper(addr) + ".ONION.", ""},
		{"https://www." + addr + ".onion:8443/path?q", ""},
		{"", "0 characters"},
		{".onion", "0 characters"},
		{"expyuzz4wqqyqhjn.onion", "version 2"},
		{addr[1:] + ".onion", "55 characters"},
		{addr + "a.onion", "57 characters"},
		{"0" + addr[1:], "character 1 is '0'"},
		{addr[:54] + "é", "character 55 is 'é'"},
		{"example.com", "3 characters"},
		{"b" + addr[1:], "checksum"},
		{addr[:55] + "e", "version of this one is 4"},
		{address(small), "small order"},
		{address(zero), "small order"},
		{address(twisted[:]), "torsion"},
		{address(bytes.Repeat([]byte{0xff}, 32)), "key in it"},
	} {
		got, err := Check(tt.text)
		if tt.words == "" {
			if err != nil || got.Label() != addr {
				t.Errorf("%q: got %v, %v", tt.text, got, err)
			}
			continue
		}
		if _, ok := errors.AsType[*AddressError](err); !ok || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%q: got %v, want %q", tt.text, err, tt.words)
		}
	}
}

// twist adds to a key the point of order 2: a second name of the same service.
func twist(t *testing.T, key [32]byte) [32]byte {
	t.Helper()
	p, err := new(edwards25519.Point).SetBytes(key[:])
	if err != nil {
		t.Fatal(err)
	}
	minusOne := append([]byte{0xec}, bytes.Repeat([]byte{0xff}, 31)...) // y = -1
	minusOne[31] = 0x7f
	q, err := new(edwards25519.Point).SetBytes(minusOne)
	if err != nil {
		t.Fatal(err)
	}
	return [32]byte(p.Add(p, q).Bytes())
}

// controlKey is the key of a service as control ports give it.
func controlKey(t testing.TB, s *Service) []byte {
	t.Helper()
	expanded, err := s.Key.Expanded()
	if err != nil {
		t.Fatal(err)
	}
	return []byte(controlPrefix + base64.StdEncoding.EncodeToString(expanded[:]) + "\n")
}

// A client's key of Arti's becomes a line of C tor's. The file is from Arti's tests.
func TestImportClient(t *testing.T) {
	client, err := os.ReadFile("testdata/ks_hsc_desc_enc.x25519_private")
	if err != nil {
		t.Fatal(err)
	}
	service := seeded(t, 1).Address()
	got, err := ImportClient(client, service)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := Describe(client); err != nil || got.Service != service || !strings.Contains(text, FormatClientKey(got.Public())) {
		t.Errorf("got %v for %v; %q, %v", got, got.Service, text, err)
	}
	arti, err := os.ReadFile("testdata/ks_hs_id.ed25519_expanded_private")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"a service's": arti, "nothing": nil, "damaged": bytes.Replace(client, []byte("A"), []byte("B"), 1), "long": make([]byte, 1<<20)} {
		if got, err := ImportClient(b, service); !errors.Is(err, ErrNoKey) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestImport(t *testing.T) {
	s := seeded(t, 1)
	secret, err := os.ReadFile(filepath.Join(installed(t, s), keyfile.ServiceSecretFile))
	if err != nil {
		t.Fatal(err)
	}
	arti, err := os.ReadFile("testdata/ks_hs_id.ed25519_expanded_private")
	if err != nil {
		t.Fatal(err)
	}
	client, err := os.ReadFile("testdata/ks_hsc_desc_enc.x25519_private")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want string // beginning of the address
		err  error
	}{
		{"C tor", secret, s.Address().Label(), nil},
		{"Arti", arti, "saurwtly2tqzwkk6ggdwmfxhfnxahxde2dhoslzvggipll52xlkhwwad", nil},
		{"control port", controlKey(t, s), s.Address().Label(), nil},
		{"Arti's client", client, "", ErrNoKey},
		{"nothing", nil, "", ErrNoKey},
		{"control port, no base64", []byte(controlPrefix + "?"), "", ErrNoKey},
		{"control port, short", controlKey(t, s)[:80], "", ErrNoKey},
		{"control port, other kind", []byte("RSA1024:AAAA"), "", ErrNoKey},
		{"zero key", append(secret[:32:32], make([]byte, 64)...), "", ErrNoKey},
		{"long", make([]byte, maxFile+1), "", ErrNoKey},
	} {
		got, err := Import(tt.b)
		if !errors.Is(err, tt.err) || err == nil && got.Address().Label() != tt.want {
			t.Errorf("%s: got %v, %v, want %v", tt.name, got, err, tt.err)
		}
	}
}
