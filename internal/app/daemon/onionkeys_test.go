package daemon

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/role/hsservice"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

var quiet = slog.New(slog.DiscardHandler)

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The heartbeat has C tor's words, which monitors look for.
func TestOnionBeat(t *testing.T) {
	for n, plural := range []string{0: "s", 1: "", 2: "s"} {
		o := onions{}
		for i := range n {
			s, err := hsservice.New(hsservice.Config{Key: keyfile.GenerateEd()})
			if err != nil {
				t.Fatal(err)
			}
			o[string(rune('a'+i))] = &runningOnion{Service: s}
		}
		want := "Our onion service" + plural + " received 0 v3 INTRODUCE2 cells and attempted to launch 0 rendezvous circuits. 0 of the cells were dropped."
		if got := o.beat(); got != want {
			t.Errorf("%d services: %q, want %q", n, got, want)
		}
	}
}

// A directory that is not there is made, with a new key; the next time, the key is the same.
func TestOnionDirectory(t *testing.T) {
	cfg := &config.Onion{Dir: filepath.Join(t.TempDir(), "service")}
	first, err := loadOnion(quiet, cfg)
	if err != nil {
		t.Fatal(err)
	}
	again, err := loadOnion(quiet, cfg)
	if err != nil || again.key.ID() != first.key.ID() || len(again.clients) != 0 {
		t.Errorf("the second time %+v, %v", again, err)
	}
	name, err := os.ReadFile(filepath.Join(cfg.Dir, "hostname"))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := keyfile.ParseHostname(name); err != nil || a != first.key.ID() {
		t.Errorf("hostname %q, %v", name, err)
	}
	public, err := os.ReadFile(filepath.Join(cfg.Dir, keyfile.ServicePublicFile))
	if err != nil {
		t.Fatal(err)
	}
	if id, err := keyfile.ParseEdPublic(public, keyfile.TagMaster); err != nil || id != first.key.ID() {
		t.Errorf("public key %x, %v", id, err)
	}
	// C tor's check: files and directories are for the owner alone, unless the group may read.
	mode := func(name string) fs.FileMode {
		info, err := os.Stat(filepath.Join(cfg.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if m := mode(keyfile.ServiceSecretFile); m != 0o600 {
		t.Errorf("secret key has mode %o", m)
	}
	if m := mode("."); m != 0o700 {
		t.Errorf("directory has mode %o", m)
	}
	cfg.GroupReadable = true
	if _, err := loadOnion(quiet, cfg); err != nil {
		t.Fatal(err)
	}
	if mode(keyfile.ServiceHostnameFile) != 0o640 || mode(".") != 0o750 || mode(keyfile.ServiceSecretFile) != 0o600 {
		t.Errorf("with HiddenServiceDirGroupReadable, modes %o, %o and %o", mode("."), mode(keyfile.ServiceHostnameFile), mode(keyfile.ServiceSecretFile))
	}
}

func TestOnionDirectoryBad(t *testing.T) {
	key, err := keyfile.AppendAuthorizedClient(nil, [32]byte{9})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		files   map[string]string
		balance bool
		clients int
		want    error // nil for none
	}{
		{name: "damaged key", files: map[string]string{keyfile.ServiceSecretFile: "x"}, want: keyfile.ErrLength},
		{name: "public key alone", files: map[string]string{keyfile.ServicePublicFile: "x"}, want: errNoSecret},
		{name: "hostname of another", files: map[string]string{keyfile.ServiceHostnameFile: "x"}},
		{name: "clients", files: map[string]string{"authorized_clients/a.auth": string(key), "authorized_clients/b.auth": string(key)}, clients: 2},
		{name: "other files beside them", files: map[string]string{"authorized_clients/a.auth": string(key), "authorized_clients/b.auth~": "x", "authorized_clients/.auth": "x"}, clients: 1},
		{name: "one is damaged", files: map[string]string{"authorized_clients/a.auth": string(key), "authorized_clients/b.auth": "x"}, clients: 1},
		{name: "all are damaged", files: map[string]string{"authorized_clients/b.auth": "x"}, want: errNoOnionClient},
		{name: "no ob_config", balance: true, want: fs.ErrNotExist},
		{name: "empty ob_config", balance: true, files: map[string]string{keyfile.ServiceOnionBalancing: "# nothing\n"}, want: errNoMaster},
		{name: "unknown word in ob_config", balance: true, files: map[string]string{keyfile.ServiceOnionBalancing: "Master x\n"}, want: errOBKeyword},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := &config.Onion{Dir: filepath.Join(t.TempDir(), "service"), OnionBalance: tt.balance}
			if err := os.Mkdir(cfg.Dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for name, text := range tt.files {
				writeFile(t, cfg.Dir, name, text)
			}
			o, err := loadOnion(quiet, cfg)
			if !errors.Is(err, tt.want) || len(o.clients) != tt.clients {
				t.Errorf("%d clients, %v; want %d, %v", len(o.clients), err, tt.clients, tt.want)
			}
		})
	}
}

func TestOnionFrontends(t *testing.T) {
	front, err := loadOnion(quiet, &config.Onion{Dir: filepath.Join(t.TempDir(), "front")})
	if err != nil {
		t.Fatal(err)
	}
	name, err := keyfile.AppendHostname(nil, front.key.ID())
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Onion{Dir: filepath.Join(t.TempDir(), "service"), OnionBalance: true}
	writeFile(t, cfg.Dir, keyfile.ServiceOnionBalancing, "# front end\nMasterOnionAddress "+strings.TrimSpace(string(name))+" # that is it\n\n")
	o, err := loadOnion(quiet, cfg)
	if err != nil || len(o.frontends) != 1 || o.frontends[0] != front.key.ID() {
		t.Errorf("%v, %v", o.frontends, err)
	}
}
