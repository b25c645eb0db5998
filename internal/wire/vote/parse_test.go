package vote_test

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/vote"
	"github.com/tropea-net/tropea/internal/wire/vote/votetest"
)

// resign replaces the signature of a vote of the first test authority by a right one.
func resign(t *testing.T, doc []byte) []byte {
	t.Helper()
	a := consensustest.Authorities(1)[0]
	signed := consensus.SignedPart(doc)
	if signed == nil {
		return doc
	}
	digest := sha1.Sum(signed)
	sig := a.Sign(consensus.SHA1, digest[:])
	e := netdoc.NewEncoder(slices.Clip(bytes.TrimSuffix(signed, []byte("directory-signature "))))
	e.Item("directory-signature")
	sig.EncodeKeys(e)
	out, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// line cuts the first line that begins with the prefix out of a document, newline included.
func line(t *testing.T, doc, prefix string) string {
	t.Helper()
	for l := range strings.Lines(doc) {
		if strings.HasPrefix(l, prefix) {
			return l
		}
	}
	t.Fatalf("no line %q", prefix)
	return ""
}

// https://spec.torproject.org/dir-spec/vote-formats.html
func TestParseRefuses(t *testing.T) {
	v := votetest.Make(1, 3, 1)[0]
	good := string(votetest.Sign(v))
	r := line(t, good, "r ")
	entry := good[strings.Index(good, "\nr ")+1:]
	entry = entry[:strings.Index(entry, "\nr ")+1]
	ed := line(t, good, "id ed25519")
	manyFlags := func(n int) string {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, "A%02d ", i)
		}
		return s.String()
	}
	object := "-----BEGIN X-----\n-----END X-----\n"
	for _, tt := range []struct {
		name, old, new string
		want           error
	}{
		{"version", "version 3", "version 4", vote.ErrNoVote},
		{"flavor", "version 3", "version 3 microdesc", vote.ErrNoVote},
		{"flavor ns", "version 3", "version 3 ns", nil},
		{"consensus", "vote-status vote", "vote-status consensus", vote.ErrNoVote},
		{"blank line before", "network-status", "\nnetwork-status", vote.ErrNoVote},
		{"no methods", "consensus-methods 32", "consensus-method 32", netdoc.ErrMissing},
		{"methods that are no numbers", "consensus-methods 32", "consensus-methods x -1 0 99999999999 36 32 32", nil},
		{"published", "published 2025", "published 20x5", netdoc.ErrBadValue},
		{"two times", "published 2025", "published 2025-12-31 23:50:00\npublished 2025", netdoc.ErrTooMany},
		{"interval", "fresh-until 2026-01-01 01:00:00", "fresh-until 2026-01-01 00:04:59", vote.ErrTimes},
		{"validity", "valid-until 2026-01-01 03:00:00", "valid-until 2026-01-01 00:09:59", vote.ErrTimes},
		{"delay of votes", "voting-delay 300", "voting-delay 1", vote.ErrTimes},
		{"delay of signatures", "voting-delay 300 300", "voting-delay 300 1", vote.ErrTimes},
		{"negative delay", "voting-delay 300", "voting-delay -300", netdoc.ErrBadValue},
		{"protocols", "required-relay-protocols ", "required-relay-protocols X ", protover.ErrSyntax},
		{"flags not in order", "known-flags Authority BadExit", "known-flags BadExit Authority", vote.ErrOrder},
		{"flag twice", "known-flags Authority", "known-flags Authority Authority", vote.ErrOrder},
		{"too many flags", "known-flags ", "known-flags " + manyFlags(64), netdoc.ErrTooMany},
		{"many flags", "known-flags ", "known-flags " + manyFlags(51), nil},
		{"parameters not in order", "params Circuit", "params a=1 Circuit", params.ErrOrder},
		{"two sources", "dir-source", line(t, good, "dir-source") + "dir-source", netdoc.ErrTooMany},
		{"other identity", fmt.Sprintf("%X", v.Source.Identity), strings.Repeat("0", 40), vote.ErrIdentity},
		{"address", "192.0.2.0", "192.0.2", netdoc.ErrBadValue},
		{"contact before the source", "dir-source", "contact x\ndir-source", netdoc.ErrMisplaced},
		{"no contact", "contact mail", "content mail", netdoc.ErrMissing},
		{"object in the header", "dir-source", "published 2025-12-31 23:50:00\n" + object + "dir-source", netdoc.ErrTooMany},
		{"object of an unknown item", "dir-source", "hello\n" + object + "dir-source", nil},
		{"legacy key", "dir-key-cert", "legacy-dir-key x\ndir-key-cert", nil},
		{"arguments of a shared random value", "shared-rand-current-value 8", "shared-rand-current-value 8 8", netdoc.ErrTooMany},
		{"shared random value", "shared-rand-current-value 8", "shared-rand-current-value x", nil},
		{"commits", "shared-rand-participate", "shared-rand-participate\n" + strings.Repeat("shared-rand-commit 2 x y\n", 257), netdoc.ErrTooMany},
		{"arguments of the participation", "shared-rand-participate", "shared-rand-participate x", netdoc.ErrTooMany},
		{"strange commit", "shared-rand-participate", "shared-rand-participate\nshared-rand-commit 2 x y", nil},
		{"short commit", "shared-rand-participate", "shared-rand-participate\nshared-rand-commit 1 sha3-256", netdoc.ErrMissing},
		{"no certificate", "dir-key-certificate-version", "x-certificate-version", netdoc.ErrMissing},
		{"half a certificate", "dir-key-certification\n", "directory-footer\n", netdoc.ErrMissing},
		{"bad certificate", "dir-key-expires 2027", "dir-key-expires 2028", rsakey.ErrSignature},
		{"two certificates", "\nr ", "\ndir-key-certificate-version 3\nr ", netdoc.ErrTooMany},
		{"object of r", "\n" + r, "\n" + r + object, netdoc.ErrMisplaced},
		{"relay twice", "\nr ", "\n" + entry + "r ", vote.ErrOrder},
		{"relays not in order", "\n" + entry, "\n", nil},
		{"nickname", "\nr ", "\nr _ ", netdoc.ErrBadValue},
		{"flag that is not known", "\ns ", "\ns Wondrous ", vote.ErrFlag},
		{"no s", "\ns ", "\nx ", netdoc.ErrMissing},
		{"no pr", "\npr ", "\nx ", netdoc.ErrMissing},
		{"s twice", "\ns ", "\ns\ns ", netdoc.ErrTooMany},
		{"pr with an unreadable list", "\npr ", "\npr = ", protover.ErrSyntax},
		{"bandwidth", "w Bandwidth=", "w Bandwidth=x", netdoc.ErrBadValue},
		{"measured bandwidth", " Measured=", " Measured=-", netdoc.ErrBadValue},
		{"strange bandwidth", "w Bandwidth=", "w MeasuredButAuthority=x x=y Bandwidth=", nil},
		{"guard fraction", "w Bandwidth=", "w GuardFraction=101 Bandwidth=", netdoc.ErrBadValue},
		{"policy", "\np ", "\np allow ", netdoc.ErrBadValue},
		{"address without argument", "\ns ", "\na\ns ", netdoc.ErrMissing},
		{"address that is none", "\ns ", "\na x\ns ", nil},
		{"object of p", "\npr ", "\nm 32\n" + object + "pr ", netdoc.ErrMisplaced},
		{"identity without argument", "\nid ed25519 ", "\nid ed25519\nx ", netdoc.ErrMissing},
		{"identity", "\nid ed25519 ", "\nid ed25519 x", netdoc.ErrBadValue},
		{"other identity of a relay", "\nid ed25519 ", "\nid rsa1024 x\nid ed25519 ", nil},
		{"no Ed25519 identity", ed, "", nil},
		{"strange microdescriptors", "\nm ", "\nm\nm x\nm 32 sha256=x\nm 64,999999999999 y\nm ", nil},
		{"footer twice", "directory-footer\n", "directory-footer\nx\ndirectory-footer\n", netdoc.ErrMisplaced},
		{"footer with arguments", "directory-footer\n", "directory-footer x\n", netdoc.ErrTooMany},
		{"weights", "directory-footer\n", "directory-footer\nbandwidth-weights Wgg=1\n", nil},
		{"weights twice", "directory-footer\n", "directory-footer\nbandwidth-weights\nbandwidth-weights\n", netdoc.ErrTooMany},
		{"strange weights", "directory-footer\n", "directory-footer\nbandwidth-weights x\n", params.ErrSyntax},
		{"no footer", "directory-footer\n", "", nil},
		{"relay in the footer", "directory-footer\n", "directory-footer\nr x\n", netdoc.ErrMisplaced},
		{"no signature", "directory-signature ", "x ", netdoc.ErrMissing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(good, tt.old) {
				t.Fatalf("no %q in the vote", tt.old)
			}
			doc := resign(t, []byte(strings.Replace(good, tt.old, tt.new, 1)))
			if _, err := vote.Parse(doc, vote.MinInterval); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	dup := strings.Replace(good, line(t, good[strings.LastIndex(good, "\nid "):], "id "), ed, 1)
	if _, err := vote.Parse(resign(t, []byte(dup)), vote.MinInterval); !errors.Is(err, vote.ErrTwice) {
		t.Errorf("Ed25519 identity of two relays: %v", err)
	}
}

// What comes after the signed part.
func TestParseRefusesSignatures(t *testing.T) {
	v := votetest.Make(1, 1, 1)[0]
	good := string(votetest.Sign(v))
	sig := good[strings.Index(good, "directory-signature"):]
	id := fmt.Sprintf("%X", v.Source.Identity)
	for _, tt := range []struct {
		name, old, new string
		want           error
	}{
		{"two", sig, sig + sig, netdoc.ErrTooMany},
		{"item behind", sig, sig + "x\n", netdoc.ErrMisplaced},
		{"blank line behind", sig, sig + "\n", nil},
		{"of another", sig, strings.Replace(sig, id, strings.Repeat("A", 40), 1), vote.ErrIdentity},
		{"with algorithm", sig, strings.Replace(sig, id, "sha1 "+id, 1), nil},
		{"with unknown algorithm", sig, strings.Replace(sig, id, "md5 "+id, 1), netdoc.ErrBadValue},
		{"after a tab", "directory-signature ", "directory-signature\t", netdoc.ErrBadValue},
		{"no object", sig, line(t, sig, "directory-signature"), netdoc.ErrMissing},
		{"short", sig, line(t, sig, "directory-signature") + "-----BEGIN SIGNATURE-----\nAAAA\n-----END SIGNATURE-----\n", netdoc.ErrBadObject},
		{"changed vote", "auth0", "auth1", rsakey.ErrSignature},
	} {
		if _, err := vote.Parse([]byte(strings.Replace(good, tt.old, tt.new, 1)), vote.MinInterval); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestParseRefusesSizes(t *testing.T) {
	good := votetest.Sign(votetest.Make(1, 1, 1)[0])
	for n := 0; n < len(good); n += 97 {
		if _, err := vote.Parse(good[:n], vote.MinInterval); err == nil {
			t.Errorf("accepted %d bytes of it", n)
		}
	}
	if _, err := vote.Parse(make([]byte, vote.MaxLen+1), vote.MinInterval); !errors.Is(err, netdoc.ErrTooLong) {
		t.Errorf("long: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, doc := range ctorVotes(f) {
		f.Add(doc)
	}
	f.Add(votetest.Sign(votetest.Make(1, 3, 1)[0]))
	key := consensustest.Authorities(1)[0].Signing
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := vote.ParseUnverified(data)
		if err != nil {
			return
		}
		doc, err := v.Sign(key)
		if err != nil {
			return // texts that we take and do not write, such as a version with a tab
		}
		again, err := vote.ParseUnverified(doc)
		if err != nil {
			t.Fatalf("what we wrote: %v\n%s", err, doc)
		}
		twice, err := again.Sign(key)
		if err != nil || !bytes.Equal(doc, twice) {
			t.Fatalf("%v: not the same:\n%s\n%s", err, doc, twice)
		}
	})
}
