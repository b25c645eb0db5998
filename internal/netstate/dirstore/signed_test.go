package dirstore

import (
	"crypto/sha1"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/lib/statefile"
)

// router is a text of the form of a router descriptor.
func router(n int) string {
	return fmt.Sprintf("router r%d\npublished x\nrouter-signature\n-----BEGIN SIGNATURE-----\nAAAA\n-----END SIGNATURE-----\n", n)
}

func signed(texts ...string) (list []Signed) {
	for _, t := range texts {
		list = append(list, Signed{Text: []byte(t)})
	}
	return list
}

func readSigned(t *testing.T, s *Store, k Kind) (texts []string) {
	t.Helper()
	if err := s.ReadSigned(k, func(d Signed) { texts = append(texts, string(d.Annotations)+string(d.Text)) }); err != nil {
		t.Fatal(err)
	}
	return texts
}

func TestSplit(t *testing.T) {
	note := string(Annotate(time.Unix(0, 0), netip.MustParseAddr("2001:db8::1")))
	if want := "@downloaded-at 1970-01-01 00:00:00\n@source \"2001:db8::1\"\n"; note != want {
		t.Errorf("annotation %q, want %q", note, want)
	}
	_, source, _ := strings.Cut(note, "\n") // the line that is left whole
	torn := strings.TrimSuffix(router(2), "NATURE-----\n")
	for _, tt := range []struct {
		name, data string
		want       []string
	}{
		{"empty", "", nil},
		{"two", router(1) + router(2), []string{router(1), router(2)}},
		{"annotated", note + router(1) + note + router(2), []string{note + router(1), note + router(2)}},
		{"garbage between", "x\n" + router(1) + "\n\ny\n" + router(2), []string{router(1), router(2)}},
		{"torn tail", router(1) + torn, []string{router(1)}},
		{"torn tail, then another", router(1) + torn + note + router(3), []string{router(1), source + router(3)}},
		{"torn tail, then another without annotation", router(1) + torn + router(3), []string{router(1)}},
		{"other kind", "extra-info x\n" + router(1)[7:], nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for d := range Split(Routers, []byte(tt.data)) {
				got = append(got, string(d.Annotations)+string(d.Text))
				if end := strings.Index(string(d.Text), "-----BEGIN"); d.Digest != sha1.Sum(d.Text[:end]) {
					t.Errorf("digest %x", d.Digest)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGeneral(t *testing.T) {
	for notes, want := range map[string]bool{
		"": true, "@downloaded-at x\n": true, "@purpose general\n": true, "@source \"x\"\n@purpose bridge\n": false,
		string(Annotate(time.Now(), netip.Addr{})): true, string(AnnotateBridge(time.Now(), netip.Addr{})): false,
	} {
		if d := (Signed{Annotations: []byte(notes)}); d.General() != want {
			t.Errorf("%q: general is %v", notes, !want)
		}
	}
}

func TestSignedFiles(t *testing.T) {
	files := new(statefile.Mem)
	s := &Store{files}
	add := func(texts ...string) {
		t.Helper()
		if _, err := s.AddSigned(Routers, signed(texts...)); err != nil {
			t.Fatal(err)
		}
	}
	if got := readSigned(t, s, Routers); got != nil {
		t.Fatalf("empty store has %q", got)
	}
	add(router(1), router(2))
	add(router(3), router(1))
	add()
	if got := readSigned(t, s, ExtraInfos); got != nil {
		t.Errorf("the other kind has %q", got)
	}
	n, err := s.RebuildSigned(Routers, func(d Signed) bool { return string(d.Text) != router(2) })
	if err != nil {
		t.Fatal(err)
	}
	add(router(4))
	if diff := cmp.Diff([]string{router(1), router(3), router(4)}, readSigned(t, s, Routers)); diff != "" {
		t.Error(diff)
	}
	cache, journal, err := s.SignedLen(Routers)
	if err != nil || cache != n || cache != len(router(1)+router(3)) || journal != len(router(4)) {
		t.Errorf("lengths %d (told %d) and %d, %v", cache, n, journal, err)
	}

	// A kill in the middle of an append leaves a torn tail, which the next rebuild removes.
	files.TearNextAppend(20)
	if _, err := s.AddSigned(Routers, signed(router(5))); err == nil {
		t.Error("no error")
	}
	if _, err := s.RebuildSigned(Routers, func(Signed) bool { return true }); err != nil {
		t.Fatal(err)
	}
	add(router(6))
	if diff := cmp.Diff([]string{router(1), router(3), router(4), router(6)}, readSigned(t, s, Routers)); diff != "" {
		t.Error(diff)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("@a\n" + router(1) + router(2)))
	f.Fuzz(func(t *testing.T, data []byte) {
		for d := range Split(Routers, data) {
			var again []Signed
			for e := range Split(Routers, append(append([]byte(nil), d.Annotations...), d.Text...)) {
				again = append(again, e)
			}
			if diff := cmp.Diff([]Signed{d}, again); diff != "" {
				t.Error(diff)
			}
		}
	})
}
