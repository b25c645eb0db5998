//go:build unix

package statefile_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tropea-net/tropea/internal/lib/statefile"
)

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestCheckPrivate(t *testing.T) {
	group := statefile.Policy{GroupReadable: true}
	only := statefile.Policy{CheckOnly: true}
	tests := []struct {
		name    string
		make    func(path string) error
		policy  statefile.Policy
		want    os.FileMode // 0: an error is expected
		wantErr string
	}{
		{"missing", nil, statefile.Policy{}, 0o700, ""},
		{"missing, for the group", nil, group, 0o750, ""},
		{"missing, check only", nil, only, 0, "cannot be read: no such file"},
		{"private", mkdir(0o700), statefile.Policy{}, 0o700, ""},
		{"private, for the group", mkdir(0o700), group, 0o700, ""},
		{"group may read, for the group", mkdir(0o750), group, 0o750, ""},
		{"too wide", mkdir(0o777), statefile.Policy{}, 0o700, ""},
		{"too wide, for the group", mkdir(0o777), group, 0o750, ""},
		{"too wide with the group bit", mkdir(0o755 | os.ModeSetgid), statefile.Policy{}, 0o700 | os.ModeSetgid, ""},
		{"too wide, check only", mkdir(0o710), only, 0, "has mode 0710, which lets others use it; it must be 0700"},
		{"group may read, check only", mkdir(0o750), statefile.Policy{GroupReadable: true, CheckOnly: true}, 0o750, ""},
		{"file", func(p string) error { return os.WriteFile(p, nil, 0o600) }, statefile.Policy{}, 0, "is not a directory"},
		{"pipe", func(p string) error { return syscall.Mkfifo(p, 0o600) }, statefile.Policy{}, 0, "is not a directory"},
		{"link to a directory", func(p string) error { return os.Symlink(filepath.Dir(p), p) }, statefile.Policy{}, 0, "is a symbolic link"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data")
			if tt.make != nil {
				if err := tt.make(path); err != nil {
					t.Fatal(err)
				}
			}
			err := statefile.CheckPrivate(quiet, path, tt.policy)
			if tt.want == 0 {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) || !strings.Contains(err.Error(), path) {
					t.Errorf("got %v, want %q about %s", err, tt.wantErr, path)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := mode(t, path) &^ os.ModeDir; got != tt.want {
				t.Errorf("mode is %v, want %v", got, tt.want)
			}
		})
	}
	if err := statefile.CheckPrivate(quiet, filepath.Join(t.TempDir(), "a", "b"), statefile.Policy{}); err == nil {
		t.Error("a directory whose parent is missing was made")
	}
}

func mkdir(mode os.FileMode) func(string) error {
	return func(path string) error {
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
		return os.Chmod(path, mode) // past the umask
	}
}

func TestCheckPrivateOfAnotherUser(t *testing.T) {
	path := "/"
	if os.Getuid() == 0 {
		path = filepath.Join(t.TempDir(), "data")
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chown(path, 12345, 0)); err != nil {
			t.Skip(err)
		}
	}
	err := statefile.CheckPrivate(quiet, path, statefile.Policy{})
	if err == nil || !strings.Contains(err.Error(), "belongs to user") {
		t.Errorf("got %v, want an error that names both users", err)
	}
	if os.Getuid() != 0 {
		return
	}
	if err := os.Chown(path, 0, 12345); err != nil {
		t.Skip(err)
	}
	err = statefile.CheckPrivate(quiet, path, statefile.Policy{GroupReadable: true})
	if err == nil || !strings.Contains(err.Error(), "belongs to group 12345") {
		t.Errorf("got %v, want an error that names both groups", err)
	}
}

func TestFixIsLogged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	if err := mkdir(0o755)(path); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := statefile.CheckPrivate(slog.New(slog.NewTextHandler(&b, nil)), path, statefile.Policy{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "Fixing permissions") || !strings.Contains(b.String(), path) {
		t.Errorf("log says %q", b.String())
	}
}

func TestModes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	d := openDir(t, path, statefile.Options{Policy: statefile.Policy{GroupReadable: true}})
	if err := os.WriteFile(filepath.Join(path, "state.tmp"), []byte("left by a kill"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.WriteWhole("state", []byte("x")), d.Append("keys/journal", nil)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"state": 0o600, "keys": 0o700, "keys/journal": 0o600} {
		if got := mode(t, filepath.Join(path, name)).Perm(); got != want {
			t.Errorf("%s has mode %v, want %v", name, got, want)
		}
	}
}

func TestNoEscapeByLinks(t *testing.T) {
	outside, path := t.TempDir(), filepath.Join(t.TempDir(), "data")
	d := openDir(t, path, statefile.Options{})
	secret := filepath.Join(outside, "secret")
	err := errors.Join(os.WriteFile(secret, []byte("s"), 0o600), os.Symlink(outside, filepath.Join(path, "keys")),
		os.Symlink(secret, filepath.Join(path, "state")))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keys/secret", "state"} {
		if got, err := d.Read(name); err == nil {
			t.Errorf("Read(%q) = %q from outside", name, got)
		}
		if err := d.Append(name, []byte("x")); err == nil {
			t.Errorf("Append(%q) wrote outside", name)
		}
	}
	if err := d.WriteWhole("state", []byte("new")); err != nil { // takes the place of the link
		t.Error(err)
	}
	wantFile(t, d, "state", "new")
	if got, _ := os.ReadFile(secret); string(got) != "s" {
		t.Errorf("the file outside is now %q", got)
	}
}

func TestLock(t *testing.T) {
	path := t.TempDir()
	first, second := openDir(t, path, statefile.Options{}), openDir(t, path, statefile.Options{})
	release, err := first.Lock("lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Lock("lock"); !errors.Is(err, statefile.ErrLocked) {
		t.Errorf("second lock: %v, want ErrLocked", err)
	}
	release()
	release()
	release, err = second.Lock("lock")
	if err != nil {
		t.Errorf("lock after release: %v", err)
	}
	release()
}
