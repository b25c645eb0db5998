package statefile_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tropea-net/tropea/internal/lib/statefile"
)

var quiet = slog.New(slog.DiscardHandler)

func openDir(t testing.TB, path string, opt statefile.Options) *statefile.Dir {
	t.Helper()
	d, err := statefile.Open(quiet, path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// stores are all implementations: they must behave alike.
func stores(t *testing.T) map[string]statefile.Store {
	return map[string]statefile.Store{
		"Dir":        openDir(t, filepath.Join(t.TempDir(), "data"), statefile.Options{}),
		"synced Dir": openDir(t, filepath.Join(t.TempDir(), "data"), statefile.Options{SyncAppends: true}),
		"Mem":        &statefile.Mem{},
	}
}

func wantFile(t *testing.T, s statefile.Store, name, want string) {
	t.Helper()
	got, err := s.Read(name)
	if string(got) != want || err != nil {
		t.Errorf("Read(%q) = %q, %v; want %q", name, got, err, want)
	}
	mapped, unmap, err := s.Map(name)
	if string(mapped) != want || err != nil {
		t.Errorf("Map(%q) = %q, %v; want %q", name, mapped, err, want)
	} else {
		unmap()
		unmap() // once is what we promise to need, twice must not hurt
	}
}

func TestStores(t *testing.T) {
	for sname, s := range stores(t) {
		for _, name := range []string{"state", "keys/secret_id_key", "cached-microdescs.new"} {
			t.Run(sname+" "+name, func(t *testing.T) {
				_, errRead := s.Read(name)
				_, _, errMap := s.Map(name)
				for what, err := range map[string]error{"Read": errRead, "Map": errMap, "Remove": s.Remove(name)} {
					if !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%s of nothing: %v, want fs.ErrNotExist", what, err)
					}
				}
				must := func(err error) {
					t.Helper()
					if err != nil {
						t.Fatal(err)
					}
				}
				must(s.Append(name, []byte("one ")))
				must(s.Append(name, []byte("two")))
				wantFile(t, s, name, "one two")
				mapped, unmap, err := s.Map(name)
				must(err)
				must(s.Append(name, []byte(" three")))
				must(s.WriteWhole(name, []byte("whole")))
				wantFile(t, s, name, "whole")
				if string(mapped) != "one two" {
					t.Errorf("the map changed to %q", mapped)
				}
				unmap()
				must(s.WriteWhole(name, nil))
				wantFile(t, s, name, "")
				must(s.Remove(name))
				if _, err := s.Read(name); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("Read after Remove: %v", err)
				}
			})
		}
	}
}

func TestBadNames(t *testing.T) {
	bad := map[string]string{
		"empty": "", "parent": "..", "hidden": ".state", "absolute": "/etc/passwd", "escape": "../x", "escape below": "keys/../../x",
		"two levels": "a/b/c", "empty file": "keys/", "hidden below": "keys/.x", "backslash": `keys\x`, "drive": "c:x", "control": "a\x00b",
		"newline": "a\nb", "being written": "state.tmp",
	}
	for sname, s := range stores(t) {
		for what, name := range bad {
			_, errRead := s.Read(name)
			_, _, errMap := s.Map(name)
			for _, err := range []error{errRead, errMap, s.WriteWhole(name, nil), s.Append(name, nil), s.Remove(name)} {
				if !errors.Is(err, statefile.ErrName) {
					t.Errorf("%s, %s %q: %v, want ErrName", sname, what, name, err)
				}
			}
		}
	}
	d := openDir(t, t.TempDir(), statefile.Options{})
	if _, err := d.Lock("../lock"); !errors.Is(err, statefile.ErrName) {
		t.Errorf("Lock: %v, want ErrName", err)
	}
}

func TestMemCopies(t *testing.T) {
	var m statefile.Mem
	data := []byte("abc")
	m.WriteWhole("f", data)
	data[0] = 'x'
	got, _ := m.Read("f")
	got[1] = 'x'
	wantFile(t, &m, "f", "abc")
}

func TestMemFaults(t *testing.T) {
	var m statefile.Mem
	m.WriteWhole("f", []byte("old"))
	full := errors.New("no space left")
	m.FailNext(3, full)
	for what, err := range map[string]error{"WriteWhole": m.WriteWhole("f", []byte("new")), "Append": m.Append("f", []byte("x")), "Remove": m.Remove("f")} {
		if !errors.Is(err, full) {
			t.Errorf("%s: %v, want the injected fault", what, err)
		}
	}
	m.TearNextAppend(2)
	if err := m.Append("f", []byte("tail")); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("torn Append: %v", err)
	}
	wantFile(t, &m, "f", "oldta")
	m.Append("f", []byte("."))
	wantFile(t, &m, "f", "oldta.")
}

func TestConcurrentUse(t *testing.T) {
	for sname, s := range stores(t) {
		t.Run(sname, func(t *testing.T) {
			var wg sync.WaitGroup
			for _, c := range []byte("abcd") {
				whole := bytes.Repeat([]byte{c}, 5000)
				wg.Go(func() {
					for range 5 {
						if err := s.WriteWhole("f", whole); err != nil {
							t.Error(err)
						}
						if err := s.Append("journal", whole[:100]); err != nil {
							t.Error(err)
						}
						if got, err := s.Read("f"); err != nil || !bytes.Equal(got, bytes.Repeat(got[:1], 5000)) {
							t.Errorf("read a mixture of %d bytes, %v", len(got), err)
						}
					}
				})
			}
			wg.Wait()
			if j, _ := s.Read("journal"); len(j) != 4*5*100 {
				t.Errorf("the journal has %d bytes, want 2000", len(j))
			}
		})
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path, statefile.Options{})
	if err := os.MkdirAll(filepath.Join(path, "state", "x"), 0o700); err != nil { // a directory where a file should be
		t.Fatal(err)
	}
	_, errRead := d.Read("state")
	_, _, errMap := d.Map("state")
	_, errLock := d.Lock("state")
	for what, err := range map[string]error{
		"Read": errRead, "Map": errMap, "Lock": errLock, "WriteWhole": d.WriteWhole("state", nil), "Append": d.Append("state", nil), "Remove": d.Remove("state"),
	} {
		if e, ok := errors.AsType[*fs.PathError](err); !ok || e.Path != filepath.Join(path, "state") {
			t.Errorf("%s: %v, want an error with the whole path", what, err)
		}
	}
	if entries, _ := os.ReadDir(path); len(entries) != 1 {
		t.Errorf("a failed write leaves %v", entries)
	}
}

func BenchmarkWriteWhole(b *testing.B) {
	d := openDir(b, b.TempDir(), statefile.Options{})
	data := make([]byte, 16<<10)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.WriteWhole("state", data); err != nil {
			b.Fatal(err)
		}
	}
}
