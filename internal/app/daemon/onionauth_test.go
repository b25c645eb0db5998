package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// authLine is a file for the service with the given number.
func authLine(t *testing.T, service, secret byte) (onionaddr.Address, string) {
	t.Helper()
	seed := [32]byte{service}
	addr, err := onionaddr.FromKey(keyfile.EdFromSeed(&seed).ID())
	if err != nil {
		t.Fatal(err)
	}
	a, err := keyfile.NewClientAuth(addr, [32]byte{15: secret})
	if err != nil {
		t.Fatal(err)
	}
	text, err := a.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return addr, string(text)
}

// What makes no sense is left out, but two keys for one service are an error.
func TestOnionAuth(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if list, err := onionAuth(log, ""); err != nil || list != nil {
		t.Errorf("no directory: %v, %v", list, err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	one, text1 := authLine(t, 1, 1)
	two, text2 := authLine(t, 2, 2)
	for name, text := range map[string]string{
		"a.auth_private": text1, "b.auth_private": text2 + "\n", "c.auth_private": "nonsense", "d.auth_private": "",
		".auth_private": text1, "e.auth": text1, "f.auth_private": strings.Repeat("x", 1<<20),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := onionAuth(log, dir)
	if err != nil || len(list) != 2 || list[0].Service != one || list[1].Service != two {
		t.Errorf("got %v, %v", list, err)
	}
	_, again := authLine(t, 1, 3)
	if err := os.WriteFile(filepath.Join(dir, "g.auth_private"), []byte(again), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := onionAuth(log, dir); err == nil || !strings.Contains(err.Error(), "duplicate") {
		t.Errorf("two keys for one service: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := onionAuth(log, filepath.Join(dir, "file")); err == nil {
		t.Error("a file is no directory")
	}
}
