package dirstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

func md(n int) []byte {
	return fmt.Appendf(nil, "onion-key\nntor-onion-key key%d\nid ed25519 id%d\n", n, n)
}

func read(t *testing.T, s *Store) (texts []string, listed []time.Time) {
	t.Helper()
	if err := s.ReadMicrodescs(func(m microdesc.Entry) {
		texts = append(texts, string(m.Text))
		listed = append(listed, m.LastListed)
	}); err != nil {
		t.Fatal(err)
	}
	return texts, listed
}

func TestMicrodescs(t *testing.T) {
	s := &Store{new(statefile.Mem)}
	if texts, _ := read(t, s); texts != nil {
		t.Fatalf("empty store has %q", texts)
	}
	at := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	if err := s.AddMicrodescs([]microdesc.Entry{{Text: md(1), LastListed: at}, {Text: md(2)}}); err != nil {
		t.Fatal(err)
	}
	if err := s.AddMicrodescs([]microdesc.Entry{{Text: md(3), LastListed: at}}); err != nil {
		t.Fatal(err)
	}
	texts, listed := read(t, s)
	if diff := cmp.Diff([]string{string(md(1)), string(md(2)), string(md(3))}, texts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]time.Time{at, {}, at}, listed); diff != "" {
		t.Error(diff)
	}

	later := at.Add(time.Hour)
	err := s.RebuildMicrodescs(func(text []byte, _ time.Time) (time.Time, bool) { return later, string(text) != string(md(2)) })
	if err != nil {
		t.Fatal(err)
	}
	texts, listed = read(t, s)
	if diff := cmp.Diff([]string{string(md(1)), string(md(3))}, texts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]time.Time{later, later}, listed); diff != "" {
		t.Error(diff)
	}
	if b, err := s.Read(FileMicrodescJournal); b != nil || err != nil {
		t.Errorf("journal after a rebuild: %q, %v", b, err)
	}
}

// A journal whose tail was torn by a kill gives all that was whole; the torn one fails its digest later.
func TestTornJournal(t *testing.T) {
	s := &Store{new(statefile.Mem)}
	s.AddMicrodescs([]microdesc.Entry{{Text: md(1)}})
	torn := append([]byte("@last-listed 2026-11-22 15:00:00\n"), md(2)[:20]...)
	if err := s.Files.Append(FileMicrodescJournal, torn); err != nil {
		t.Fatal(err)
	}
	s.AddMicrodescs([]microdesc.Entry{{Text: md(3)}})
	texts, _ := read(t, s)
	if len(texts) < 2 || texts[0] != string(md(1)) {
		t.Errorf("got %q", texts)
	}
}

func TestJournalLen(t *testing.T) {
	s := Store{Files: &statefile.Mem{}}
	if n, err := s.JournalLen(); n != 0 || err != nil {
		t.Errorf("no journal: %d, %v", n, err)
	}
	s.Files.Append(FileMicrodescJournal, []byte("onion-key\n"))
	if n, err := s.JournalLen(); n != 10 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	s.Files.Remove(FileMicrodescJournal)
	if n, err := s.JournalLen(); n != 0 || err != nil {
		t.Errorf("removed: %d, %v", n, err)
	}
}
