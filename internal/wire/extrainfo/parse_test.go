package extrainfo_test

import (
	"bytes"
	_ "embed"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/extrainfo/extrainfotest"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

const spec = "https://spec.torproject.org/dir-spec/extra-info-document-format.html"

var published = time.Date(2026, 8, 20, 1, 2, 3, 0, time.UTC)

// What C tor 0.4.9.11 wrote for relays of private networks: descriptors, each with its extra-info document. That of the second
// file has all statistics, since the clock was set ahead.
var (
	//go:embed testdata/ctor.txt
	ctorPlain []byte
	//go:embed testdata/ctor-statistics.txt
	ctorStatistics []byte
)

// pairs cuts text at descriptors and extra-info documents.
func pairs(text []byte) (all [][2][]byte) {
	for len(text) > 0 {
		i := bytes.Index(text, []byte("\nextra-info ")) + 1
		j := bytes.Index(text[i:], []byte("\nrouter ")) + 1
		if j == 0 {
			j = len(text) - i
		}
		all = append(all, [2][]byte{text[:i], text[i : i+j]})
		text = text[i+j:]
	}
	return all
}

func TestFromCTor(t *testing.T) {
	all := append(pairs(ctorPlain), pairs(ctorStatistics)...)
	if len(all) != 3 {
		t.Fatalf("%d pairs", len(all))
	}
	for _, pair := range all {
		r, err := routerdesc.Parse(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		d, err := extrainfo.Parse(pair[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Check(r); err != nil {
			t.Errorf("%s: %v", r.Nickname, err)
		}
		if r.ExtraInfo256 == [32]byte{} {
			t.Error("the descriptor does not tell the SHA-256 digest")
		}
	}
}

func TestCheck(t *testing.T) {
	a, b := extrainfotest.New("a"), extrainfotest.New("b")
	desc, extra := a.Publish(published)
	r, err := routerdesc.Parse(desc)
	if err != nil {
		t.Fatal(err)
	}
	d, err := extrainfo.Parse(extra)
	if err != nil {
		t.Fatalf("%v (%s)", err, spec)
	}
	if err := d.Check(r); err != nil {
		t.Errorf("good pair: %v", err)
	}
	_, other := a.Publish(published.Add(time.Hour))
	_, foreign := b.Publish(published)
	begin := []byte("-----BEGIN SIGNATURE-----\n")
	n := bytes.Index(extra, begin) + len(begin)
	badRSA := slices.Concat(extra[:n], []byte("AAAA"), extra[n+4:])
	for _, tt := range []struct {
		name string
		text []byte
		tell func(*routerdesc.Descriptor) // changes what the descriptor says
		want error
	}{
		{"of another time", other, nil, extrainfo.ErrMismatch},
		{"of another relay", foreign, nil, extrainfo.ErrMismatch},
		{"of another relay, with the digest told", foreign, func(r *routerdesc.Descriptor) {
			d, _ := extrainfo.Parse(foreign)
			r.ExtraInfo, r.ExtraInfo256 = d.Digest, d.Digest256
		}, extrainfo.ErrMismatch},
		{"RSA signature", badRSA, nil, extrainfo.ErrCopy},
		{"other SHA-256 digest", extra, func(r *routerdesc.Descriptor) { r.ExtraInfo256[0]++ }, extrainfo.ErrCopy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := extrainfo.Parse(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			r := *r
			if tt.tell != nil {
				tt.tell(&r)
			}
			if err := d.Check(&r); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v (%s)", err, tt.want, spec)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	_, text := extrainfotest.New("relay").Publish(published)
	doc := string(text)
	replace := func(old, with string) string { return strings.Replace(doc, old, with, 1) }
	i, j := strings.Index(doc, "identity-ed25519"), strings.Index(doc, "published")
	cert := doc[i:j]
	for _, tt := range []struct {
		name, text string
		want       error
	}{
		{"empty", "", netdoc.ErrMissing},
		{"too long", doc + strings.Repeat("x", extrainfo.MaxLen), extrainfo.ErrTooLong},
		{"old, without Ed25519", replace(cert, ""), netdoc.ErrMissing},
		{"certificate too late", replace(cert, "") + cert, netdoc.ErrMisplaced},
		{"certificate behind published", strings.Replace(replace(cert, ""), "write-history", cert+"write-history", 1), extrainfo.ErrPosition},
		{"certificate of another key", replace("-----BEGIN ED25519 CERT-----\nA", "-----BEGIN ED25519 CERT-----\nB"), torcert.ErrMalformed},
		{"changed", replace("1024", "1025"), extrainfo.ErrSignature},
		{"item behind the Ed25519 signature", replace("router-signature\n", "hidserv-stats-end x\nrouter-signature\n"), extrainfo.ErrPosition},
		{"tab before the Ed25519 signature", replace("router-sig-ed25519 ", "router-sig-ed25519\t"), extrainfo.ErrPosition},
		{"nickname", replace("extra-info relay", "extra-info re.lay"), extrainfo.ErrNickname},
		{"fingerprint", replace("extra-info relay ", "extra-info relay F"), netdoc.ErrBadValue},
		{"opt", "opt " + doc, extrainfo.ErrPosition},
		{"no time", replace("published 2026", "published 20260"), netdoc.ErrBadValue},
		{"statistic twice", replace("write-history", "write-history\nwrite-history"), netdoc.ErrTooMany},
		{"object of a statistic", replace("router-sig", "-----BEGIN X-----\nAAAA\n-----END X-----\nrouter-sig"), netdoc.ErrMisplaced},
		{"NUL", replace("(86400 s)", "(86400\x00s)"), netdoc.ErrBadByte},
		{"carriage return", replace("2048\n", "2048\r\n"), netdoc.ErrBadByte},
		{"no RSA signature", doc[:strings.Index(doc, "router-signature")], netdoc.ErrMissing},
		{"truncated", doc[:len(doc)-10], netdoc.ErrTruncated},
		{"twice", doc + doc, netdoc.ErrMisplaced},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := extrainfo.Parse([]byte(tt.text)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v (%s)", err, tt.want, spec)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	_, text := extrainfotest.New("relay").Publish(published)
	f.Add(text)
	for _, pair := range append(pairs(ctorPlain), pairs(ctorStatistics)...) {
		f.Add(pair[1])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := extrainfo.Parse(text)
		if err == nil && !bytes.Equal(d.Text, text) {
			t.Error("text changed")
		}
	})
}

// A document that is too long for authorities goes without its last parts.
func TestMakeLong(t *testing.T) {
	k := extrainfotest.New("relay").Keys(published)
	line := []byte("hidserv-stats-end " + strings.Repeat("x", 981) + "\n")
	var parts [][]byte
	for range 100 {
		parts = append(parts, line)
	}
	d, err := extrainfo.Make("relay", published, k, parts)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(d.Text); n > extrainfo.MaxUpload || n < extrainfo.MaxUpload-2*len(line) || bytes.Count(d.Text, line) != 49 {
		t.Errorf("%d bytes, %d parts", n, bytes.Count(d.Text, line))
	}
	_, short := extrainfotest.New("other").Publish(published)
	for name, parts := range map[string][][]byte{"no line": {[]byte("x")}, "another document": {short}} {
		if _, err := extrainfo.Make("relay", published, k, parts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := extrainfo.Make("re lay", published, k, nil); err == nil {
		t.Error("nickname: no error")
	}
}
