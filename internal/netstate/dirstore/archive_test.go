package dirstore

import (
	_ "embed"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/lib/compress"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// fromCTor is a file that C tor 0.4.9.11 wrote in a private network of three authorities.
//
//go:embed testdata/diff-cache-1000
var fromCTor []byte

func open(t *testing.T, files statefile.Store) (*Archive, []Archived, []string) {
	t.Helper()
	a, list, useless, err := OpenArchive(files)
	if err != nil {
		t.Fatal(err)
	}
	return a, list, useless
}

// TestArchiveLikeCTor reads C tor's file, and writes the same again, byte for byte.
func TestArchiveLikeCTor(t *testing.T) {
	files := new(statefile.Mem)
	files.WriteWhole("diff-cache/1000", fromCTor)
	a, list, useless := open(t, files)
	if len(list) != 1 || len(useless) != 0 {
		t.Fatalf("%d entries, %d useless files", len(list), len(useless))
	}
	e := list[0]
	text, err := a.Read(e.File)
	if err != nil {
		t.Fatal(err)
	}
	c, err := consensus.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if !c.ValidAfter.Equal(e.ValidAfter) || c.Digests.SHA3 != e.Digest || c.Digests.Whole != e.Whole || c.Flavor != e.Flavor {
		t.Errorf("labels %+v do not fit the consensus", e)
	}
	_, packed, _ := strings.Cut(string(fromCTor), "\x00")
	file, err := a.Add(&e, []byte(packed))
	if err != nil || file != "diff-cache/1001" {
		t.Fatalf("%q, %v", file, err)
	}
	got, _ := files.Read(file)
	if diff := cmp.Diff(string(fromCTor), string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestArchiveUseless(t *testing.T) {
	files := new(statefile.Mem)
	edit := func(old, with string) string { return strings.Replace(string(fromCTor), old, with, 1) }
	for name, data := range map[string]string{
		"1000": string(fromCTor),
		"1001": "", // a disk that was full
		"1002": "no labels",
		"1003": edit("document-type consensus", "document-type consensus-diff"),
		"1004": edit("compression deflate", "compression x-zstd"),
		"1005": edit("consensus-flavor microdesc", "consensus-flavor mint"),
		"1006": edit("consensus-valid-until 2", "consensus-valid-until x"),
		"1007": edit("sha3-digest-as-signed 4", "sha3-digest-as-signed "),
		"1008": strings.Repeat("x", maxLabels) + "\x00",
		"1255": edit("consensus-flavor microdesc", "consensus-flavor ns"),
		"1256": string(fromCTor), // C tor makes no such file
	} {
		files.WriteWhole("diff-cache/"+name, []byte(data))
	}
	a, list, useless := open(t, files)
	var names []string
	for _, e := range list {
		names = append(names, e.File)
	}
	if diff := cmp.Diff([]string{"diff-cache/1000", "diff-cache/1255"}, names); diff != "" {
		t.Error(diff)
	}
	if len(useless) != 8 {
		t.Errorf("useless: %q", useless)
	}
	for _, name := range useless {
		if err := a.Remove(name); err != nil {
			t.Error(err)
		}
	}
	if _, list, useless := open(t, files); len(list) != 2 || len(useless) != 0 {
		t.Errorf("then %d entries, %d useless files", len(list), len(useless))
	}
}

func TestArchive(t *testing.T) {
	files := new(statefile.Mem)
	a, _, _ := open(t, files)
	at := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	e := Archived{Flavor: consensus.NS, ValidAfter: at, FreshUntil: at.Add(time.Hour), ValidUntil: at.Add(3 * time.Hour), Digest: [32]byte{1}}
	packed, err := compress.Encode(compress.Deflate, []byte("a consensus"), compress.Fast)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("disk full")
	files.FailNext(1, broken)
	if _, err := a.Add(&e, packed); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	for range archiveFiles {
		if _, err := a.Add(&e, packed); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Add(&e, packed); !errors.Is(err, ErrArchiveFull) {
		t.Errorf("got %v, want ErrArchiveFull", err)
	}
	if err := a.Remove("diff-cache/1007"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read("diff-cache/1007"); err == nil {
		t.Error("a removed file can be read")
	}
	if file, err := a.Add(&e, packed); err != nil || file != "diff-cache/1007" {
		t.Errorf("%q, %v", file, err)
	}
	if text, err := a.Read("diff-cache/1007"); err != nil || string(text) != "a consensus" {
		t.Errorf("%q, %v", text, err)
	}
	_, list, _ := open(t, files)
	want := e
	want.File = list[3].File
	if diff := cmp.Diff(want, list[3]); diff != "" {
		t.Error(diff)
	}
}

func FuzzArchived(f *testing.F) {
	f.Add(fromCTor)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, packed, ok := parseArchived(data)
		if !ok {
			return
		}
		again, _, ok := parseArchived(append(e.labels(packed), 0))
		if diff := cmp.Diff(e, again); diff != "" || !ok {
			t.Errorf("ok %v: %s", ok, diff)
		}
	})
}
