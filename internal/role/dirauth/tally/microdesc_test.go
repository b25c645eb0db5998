package tally_test

import (
	"crypto/sha256"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/role/dirauth/tally"
	"github.com/tropea-net/tropea/internal/wire/doclist"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// https://spec.torproject.org/dir-spec/computing-microdescriptors.html
func TestMicrodescs(t *testing.T) {
	for _, tt := range []struct {
		file    string
		methods []uint64 // of each microdescriptor
	}{
		{"two-families", []uint64{7 << 32, 1 << 35}},
		{"without-family", []uint64{0xf << 32}},
	} {
		text, err := os.ReadFile("../../../wire/routerdesc/testdata/" + tt.file + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		d, err := routerdesc.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		list, err := tally.Microdescs(d)
		if err != nil || len(list) != len(tt.methods) {
			t.Fatalf("%s: %d, %v", tt.file, len(list), err)
		}
		for i, m := range list {
			if m.Methods != tt.methods[i] || m.Digest != sha256.Sum256(m.Text) {
				t.Errorf("%s: methods %x, want %x", tt.file, m.Methods, tt.methods[i])
			}
			md, err := microdesc.Parse(m.Text, nil)
			if err != nil || md.Ed25519 != d.Ed25519 || md.Ntor != d.Ntor {
				t.Errorf("%s: %+v, %v", tt.file, md, err)
			}
			if has := strings.Contains(string(m.Text), "\nfamily-ids "); has != (m.Methods == 1<<35) {
				t.Errorf("%s: family-ids: %v", tt.file, has)
			}
		}
		d.OnionKey = nil
		if _, err := tally.Microdescs(d); err == nil {
			t.Errorf("%s: microdescriptor without a TAP key", tt.file)
		}
	}
}

// The digests in the votes of C tor are those of what we make of the same descriptors.
func TestMicrodescsOfCTor(t *testing.T) {
	v, err := vote.Parse(slices.Collect(vote.Split(readFile(t, "votes.txt")))[0], vote.MinIntervalTesting)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for e := range doclist.Split(readFile(t, "descriptors.txt"), "router") {
		d, err := routerdesc.Parse(e.Text)
		if err != nil {
			t.Fatal(err)
		}
		list, err := tally.Microdescs(d)
		if err != nil {
			t.Fatal(err)
		}
		for i := range v.Relays {
			if r := &v.Relays[i]; r.Status.ID == d.RSA {
				seen++
				if len(list) != 1 || len(r.Microdescs) != 1 || list[0].Microdesc != r.Microdescs[0] {
					t.Errorf("%s: got %x, want %x", d.Nickname, list, r.Microdescs)
				}
			}
		}
	}
	if seen != len(v.Relays) {
		t.Errorf("descriptors of %d relays, %d in the vote", seen, len(v.Relays))
	}
}
