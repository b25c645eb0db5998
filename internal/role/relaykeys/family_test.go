package relaykeys

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// familyDir is a directory with new family keys.
func familyDir(t testing.TB, names ...string) fstest.MapFS {
	t.Helper()
	dir := fstest.MapFS{"secret_id_key": {Data: []byte("no matter")}}
	for _, name := range names {
		b, err := keyfile.GenerateEd().AppendTo(nil, keyfile.TagFamily)
		if err != nil {
			t.Fatal(err)
		}
		dir[name+familySuffix] = &fstest.MapFile{Data: b}
	}
	return dir
}

func familyID(t testing.TB, dir fs.FS, name string) [32]byte {
	t.Helper()
	b, err := fs.ReadFile(dir, name+familySuffix)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyfile.ParseEdSecret(b, keyfile.TagFamily)
	if err != nil {
		t.Fatal(err)
	}
	return key.ID()
}

// https://spec.torproject.org/proposals/321-happy-families.html
func TestFamilies(t *testing.T) {
	dir := familyDir(t, "a", "b")
	a, b := familyID(t, dir, "a"), familyID(t, dir, "b")
	twice := familyDir(t)
	twice["x"+familySuffix], twice["y"+familySuffix] = dir["a"+familySuffix], dir["a"+familySuffix]
	wrongTag := familyDir(t)
	file, _ := keyfile.GenerateEd().AppendTo(nil, keyfile.TagMaster)
	wrongTag["bad"+familySuffix] = &fstest.MapFile{Data: file}
	long := familyDir(t)
	long["long"+familySuffix] = &fstest.MapFile{Data: make([]byte, 1<<20)}
	for _, tt := range []struct {
		name string
		c    Families
		want int
		err  error
		file string // in the error, or in the warning
	}{
		{"none", Families{Dir: dir}, 0, nil, ""},
		{"all", Families{Dir: dir, All: true}, 2, nil, ""},
		{"both", Families{Dir: dir, IDs: [][32]byte{b, a}}, 2, nil, ""},
		{"one of two", Families{Dir: dir, IDs: [][32]byte{a}}, 1, nil, "b" + familySuffix},
		{"all, and one by name", Families{Dir: dir, IDs: [][32]byte{a}, All: true}, 2, nil, ""},
		{"one key in two files", Families{Dir: twice, IDs: [][32]byte{a}}, 1, nil, ""},
		{"all of none", Families{All: true}, 0, nil, ""},
		{"missing", Families{Dir: dir, IDs: [][32]byte{a, {1}}}, 0, ErrMissing, familySuffix},
		{"no directory", Families{IDs: [][32]byte{a}}, 0, ErrMissing, familySuffix},
		{"wrong tag", Families{Dir: wrongTag, All: true}, 0, keyfile.ErrTag, "bad" + familySuffix},
		{"long file", Families{Dir: long, All: true}, 0, keyfile.ErrLength, "long" + familySuffix},
	} {
		k, r, err := loadAt(Config{Families: tt.c}, relay(t), start)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.err)
			continue
		}
		text := errors.Join(append(r.Warnings, err)...)
		if (text != nil) != (tt.file != "") || text != nil && !strings.Contains(text.Error(), tt.file) {
			t.Errorf("%s: complaint %v, want one about %q", tt.name, text, tt.file)
		}
		if err == nil && len(k.Current().FamilyIDs()) != tt.want {
			t.Errorf("%s: %d keys, want %d", tt.name, len(k.Current().FamilyIDs()), tt.want)
		}
	}
}

func TestReloadFamilies(t *testing.T) {
	k, _ := mustLoad(t, Config{}, relay(t), start)
	dir := familyDir(t, "a")
	for _, tt := range []struct {
		name    string
		c       Families
		changed bool
		err     error
		want    int
	}{
		{"one more", Families{Dir: dir, All: true}, true, nil, 1},
		{"the same", Families{Dir: dir, IDs: [][32]byte{familyID(t, dir, "a")}}, false, nil, 1},
		{"missing", Families{Dir: dir, IDs: [][32]byte{{1}}}, false, ErrMissing, 1},
		{"none", Families{}, true, nil, 0},
	} {
		r, err := k.Reload(tt.c, start)
		if r.Families != tt.changed || !errors.Is(err, tt.err) || len(k.Current().FamilyIDs()) != tt.want {
			t.Errorf("%s: got %+v, %v, %d keys", tt.name, r, err, len(k.Current().FamilyIDs()))
		}
	}
}
