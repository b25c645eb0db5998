package microdesc

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// The files are the texts of C tor's src/test/test_microdesc.c.
//
//go:embed testdata/*.txt
var testdata embed.FS

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := testdata.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fromHex(t testing.TB, s string) (d [32]byte) {
	t.Helper()
	if n, err := hex.Decode(d[:], []byte(s)); err != nil || n != len(d) {
		t.Fatal(s)
	}
	return d
}

func from64(t testing.TB, s string) (d [32]byte) {
	t.Helper()
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || len(b) != len(d) {
		t.Fatal(s)
	}
	return [32]byte(b)
}

func summary(t testing.TB, s string) exitpolicy.Summary {
	t.Helper()
	p, err := exitpolicy.ParseSummary(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// https://spec.torproject.org/dir-spec/computing-microdescriptors.html
func TestParse(t *testing.T) {
	ntor := from64(t, "AppBt6CSeb1kKid/36ototmFA24ddfW5JpjWPLuoJgs")
	for _, tt := range []struct {
		name string
		want Microdesc
	}{
		{"plain", Microdesc{
			Digest: fromHex(t, "5b2b974b5f2ab53a0e88f195d88dfde7d4f2b809f67f541c353f90fa778eb459"), Ntor: ntor,
		}},
		{"plain-2", Microdesc{
			Digest: fromHex(t, "ca6c064fad45862e75678bb205db6e80bae1457608a3449362623e88aac164d2"), Ntor: ntor,
		}},
		{"made-by-method-35", Microdesc{
			Digest:  fromHex(t, "ca01972f1f02a14f6116f90586a17f69817ae060222a53cc6898867177e1f084"),
			Ntor:    from64(t, "FChIfm77vrWB7JsxQ+jMbN6VSSp1P0DYbw/2aqey4iA"),
			Ed25519: from64(t, "J5lkRqyL6qW+CpN3E4RIlgJZeLgwjtmOOrjZvVhuwLQ"), HasEd: true,
			Policy4: summary(t, "accept 1-65535"),
			Family:  "!Strange $D219590AC9513BCDEBBA9AB721007A4CC01BBAE3 othernode",
			FamilyIDs: "ed25519:YWxsIGhhcHB5IGZhbWlsaWVzIGFyZSBhbGlrZSAtTFQ " +
				"rlwe:0YHRh9Cw0YHRgtC70LjQstGL0LUg0YHQtdC80YzQuC0",
		}},
	} {
		for _, in := range []*Interner{nil, NewInterner()} {
			got, err := Parse(file(t, tt.name), in)
			if err != nil || got != tt.want {
				t.Errorf("%s: %v, %s", tt.name, err, cmp.Diff(fmt.Sprintf("%+v", tt.want), fmt.Sprintf("%+v", got)))
			}
		}
	}
}

// The file has good and bad ones, and annotations. C tor drops a microdescriptor whose annotation is malformed; here it
// counts as if it had none.
func TestSplitAndParse(t *testing.T) {
	in := NewInterner()
	var good []Microdesc
	var bad []string
	for e := range Split(file(t, "concatenated")) {
		m, err := Parse(e.Text, in)
		if err != nil {
			bad = append(bad, err.Error())
			continue
		}
		if !e.LastListed.IsZero() {
			t.Errorf("last listed at %v", e.LastListed)
		}
		good = append(good, m)
	}
	if len(good) != 15 || len(bad) != 3 {
		t.Fatalf("%d are good, bad are %q", len(good), bad)
	}
	for i, digest := range map[int]string{
		5:  "54bb6d733ddeb375d2456c79ae103961da0cae29620375ac4cf13d54da4d92b3",
		6:  "53f740bd222ab37f19f604b1d3759aa65eff1fbce9ac254bd0fa50d4af9b1bae",
		8:  "a0a155562d8093d8fd0feb7b93b7226e17f056c2142aab7a4ea8c5867a0376d5",
		11: "409ebd87d23925a2732bd467a92813c921ca378fcb9ca193d354c51550b6d5e9", // 10 has the malformed annotation
	} {
		if good[i].Digest != fromHex(t, digest) {
			t.Errorf("microdescriptor %d has digest %x", i, good[i].Digest)
		}
	}
	if p := good[6].Policy4; !p.RejectsAll() {
		t.Errorf("a malformed policy is read as %v", p)
	}
	if want := netip.MustParseAddrPort("[::1:2:3:4]:9090"); good[11].Addr6 != want || good[12].Addr6 != want {
		t.Errorf("addresses %v, %v, want %v", good[11].Addr6, good[12].Addr6, want)
	}
	if !good[12].Policy4.RejectsAll() || good[13].Policy4.RejectsAll() || good[14].Policy6.RejectsAll() {
		t.Errorf("policies %v, %v, %v", good[12].Policy4, good[13].Policy4, good[14].Policy6)
	}
	if a, b := good[13].Policy4, good[14].Policy6; a != b {
		t.Errorf("policies %v and %v differ", a, b)
	}
}

func TestSplit(t *testing.T) {
	one, two, three := file(t, "plain"), file(t, "plain-2"), file(t, "policy-and-family")
	var got []Entry
	stamp := AppendLastListed([]byte("@other x\n"), time.Date(2026, 8, 20, 13, 14, 15, 0, time.UTC))
	data := slices.Concat([]byte("junk\n"), one, stamp, two, three)
	for e := range Split(data) {
		got = append(got, e)
	}
	_, three, _ = bytes.Cut(three, []byte("\n")) // its annotation is a date without a time
	want := []Entry{{Text: one}, {Text: two, LastListed: time.Date(2026, 8, 20, 13, 14, 15, 0, time.UTC)}, {Text: three}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for range Split(data) {
		break
	}
	for _, none := range []string{"", "\n\n", "@last-listed x\n", "xonion-key\n"} {
		for e := range Split([]byte(none)) {
			t.Errorf("%q: got %q", none, e.Text)
		}
	}
}

func TestBad(t *testing.T) {
	good := string(file(t, "made-by-method-35"))
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for _, tt := range []struct {
		name, text string
		want       error
	}{
		{"empty", "", ErrStart},
		{"blank line first", "\n" + good, ErrStart},
		{"annotation", "@last-listed 2026-08-20 13:14:15\n" + good, ErrStart},
		{"other start", replace("onion-key\n", "onion-keys\n"), netdoc.ErrMisplaced},
		{"no ntor key", replace("ntor-onion-key", "tap-onion-key"), netdoc.ErrMissing},
		{"ntor key without value", "onion-key\nntor-onion-key\n", netdoc.ErrMissing},
		{"short ntor key", replace("y4iA\n", "y4i\n"), netdoc.ErrBadValue},
		{"two ntor keys", good + "ntor-onion-key x\n", netdoc.ErrTooMany},
		{"two Ed25519 keys", good + "id ed25519 J5lkRqyL6qW+CpN3E4RIlgJZeLgwjtmOOrjZvVhuwLQ\n", netdoc.ErrTooMany},
		{"bad Ed25519 key", replace("id ed25519 J5", "id ed25519 J"), netdoc.ErrBadValue},
		{"id without value", good + "id ed25519\n", netdoc.ErrMissing},
		{"two policies", good + "p accept 80\n", netdoc.ErrTooMany},
		{"two family-ids", good + "family-ids\n", netdoc.ErrTooMany},
		{"two onion keys", good + "onion-key\n", netdoc.ErrTooMany},
		{"object", replace("p accept 1-65535\n", "p accept 1-65535\n-----BEGIN X-----\n-----END X-----\n"), netdoc.ErrMisplaced},
		{"tag of the key", strings.ReplaceAll(good, "RSA PUBLIC KEY", "PUBLIC KEY"), netdoc.ErrBadObject},
		{"no key", replace("MIGJAoGB", "MIGJAoGC"), rsakey.ErrKey},
		{"exponent", replace("AgMBAAE=", "AgMBAAM="), rsakey.ErrExponent},
		{"cut", good[:len(good)-1], netdoc.ErrTruncated},
		{"zero byte", replace("othernode", "other\x00ode"), netdoc.ErrBadByte},
		{"long", good + strings.Repeat("x\n", MaxLen), ErrTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if m, err := Parse([]byte(tt.text), nil); !errors.Is(err, tt.want) || m != (Microdesc{}) {
				t.Errorf("got %+v, error %v, want %v", m, err, tt.want)
			}
		})
	}
	for e := range Split(file(t, "bad-truncated")) {
		if _, err := Parse(e.Text, nil); !errors.Is(err, netdoc.ErrMissing) {
			t.Errorf("truncated: %v", err)
		}
	}
	for name, text := range map[string]string{
		"no object":         "onion-key\nntor-onion-key AppBt6CSeb1kKid/36ototmFA24ddfW5JpjWPLuoJgs\n",
		"unknown items":     good + "flux-capacitor 1.21 GW\n",
		"unknown identity":  good + "id explodo x\n",
		"bad address":       good + "a 1.2.3.4:80\na [::1]:0\na [fe80::1%eth0]:80\na nowhere\n",
		"malformed policy6": good + "p6 accept whatever\n",
	} {
		if m, err := Parse([]byte(text), nil); err != nil || m.Addr6.IsValid() || !m.Policy6.RejectsAll() {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// The result must not keep the document alive, nor change with it.
func TestNoAlias(t *testing.T) {
	text := file(t, "made-by-method-35")
	for _, in := range []*Interner{nil, NewInterner()} {
		b := bytes.Clone(text)
		first, err := Parse(b, in)
		if err != nil {
			t.Fatal(err)
		}
		clear(b)
		again, err := Parse(text, in)
		if err != nil || first != again {
			t.Errorf("got %+v, %v", first, err)
		}
	}
}

// https://spec.torproject.org/dir-spec/computing-microdescriptors.html
func TestMake(t *testing.T) {
	const tap = "MIGJAoGBAMvEJ/JVNK7I38PPWhQMuCgkET/ki4WIas4tj5Kmqfb9kHqxMR+EunRD83k4pel1yB7QdV+iTd/4SZOI8RpZP+BO1KnOTWfp" +
		"ztAU1lDGr19/PwdwcHaILpBDnNzm6otk4/bKUQ0vqpOfJljtg0DfAm4uMAQ6BMFy6uEAF7+JupuPAgMBAAE="
	der, err := base64.StdEncoding.DecodeString(tap)
	if err != nil {
		t.Fatal(err)
	}
	rsa, _ := hex.DecodeString("D219590AC9513BCDEBBA9AB721007A4CC01BBAE3")
	s := Source{
		OnionKey: der, Ntor: from64(t, "FChIfm77vrWB7JsxQ+jMbN6VSSp1P0DYbw/2aqey4iA"), RSA: [20]byte(rsa),
		Ed25519: from64(t, "J5lkRqyL6qW+CpN3E4RIlgJZeLgwjtmOOrjZvVhuwLQ"), HasEd: true,
		Family: []string{"OtherNode", "!Strange"},
		FamilyIDs: []string{"ed25519:YWxsIGhhcHB5IGZhbWlsaWVzIGFyZSBhbGlrZSAtTFQ",
			"rlwe:0YHRh9Cw0YHRgtC70LjQstGL0LUg0YHQtdC80YzQuC0"},
		Policy4: summary(t, "accept 1-65535"),
	}
	for method := MinMethod; method <= MaxMethod; method++ {
		want := file(t, "made-by-method-33")
		if method >= 35 {
			want = file(t, "made-by-method-35")
		}
		got, err := s.Make(method)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("method %d: %v, %s", method, err, cmp.Diff(string(want), string(got)))
		}
	}
	s.HasEd, s.Policy4, s.Policy6 = false, exitpolicy.Summary{}, summary(t, "accept 80")
	s.Family, s.FamilyIDs = nil, nil
	got, err := s.Make(35)
	if want := "ntor-onion-key FChIfm77vrWB7JsxQ+jMbN6VSSp1P0DYbw/2aqey4iA\np6 accept 80\nid rsa1024 " +
		base64.RawStdEncoding.EncodeToString(rsa) + "\n"; err != nil || !strings.HasSuffix(string(got), want) {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := s.Make(31); !errors.Is(err, ErrMethod) {
		t.Errorf("method 31: %v", err)
	}
	if _, err := s.Make(36); !errors.Is(err, ErrMethod) {
		t.Errorf("method 36: %v", err)
	}
	s.OnionKey = nil
	if _, err := s.Make(35); !errors.Is(err, rsakey.ErrKey) {
		t.Errorf("no TAP key: %v", err)
	}
}

func TestFamily(t *testing.T) {
	a, b := [20]byte{0xaa}, [20]byte{0xbb}
	aHex, bHex := "aa"+strings.Repeat("0", 38), "bb"+strings.Repeat("0", 38)
	list := "$" + aHex + " " + bHex + "=Nick  Other $" + aHex + "~x !odd $" + aHex + "= $12 " + strings.Repeat("n", 20)
	got := slices.Collect(Members(list))
	want := []Member{{RSA: a}, {RSA: b}, {Nickname: "other"}, {RSA: a}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for range Members(list) {
		break
	}
	canonical := CanonicalFamily(strings.Fields(list), b)
	if want := "!odd $12 $AA" + aHex[2:] + " $BB" + bHex[2:] + " $" + aHex + "= " + strings.Repeat("n", 20) + " other"; canonical != want {
		t.Errorf("got %s, want %s", canonical, want)
	}
	if again := CanonicalFamily(strings.Fields(canonical), b); again != canonical {
		t.Errorf("got %s, want %s", again, canonical)
	}
}

func FuzzParse(f *testing.F) {
	for e := range Split(file(f, "concatenated")) {
		f.Add(e.Text)
	}
	f.Add(file(f, "made-by-method-35"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		for e := range Split(data) {
			n += len(e.Text)
			in := NewInterner()
			m, err := Parse(e.Text, in)
			if again, err2 := Parse(e.Text, nil); again != m || (err == nil) != (err2 == nil) {
				t.Fatalf("got %+v, %v with an Interner, %+v, %v without", m, err, again, err2)
			}
			for range Members(m.Family) {
				n++
			}
		}
		if n > 2*len(data) {
			t.Fatal("parts overlap")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := file(b, "made-by-method-35")
	in := NewInterner()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text, in); err != nil {
			b.Fatal(err)
		}
	}
}
