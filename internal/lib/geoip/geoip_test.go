package geoip

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"errors"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
)

const file4 = `# a comment

16777216,16777471,AU
16777472,16778239,CN
  16778240,16779263,CN
"16909060","16909060","DE","DEU","Germany"
4294967040,4294967295,ZZ
`

const file6 = `2001::,2001:0:ffff:ffff:ffff:ffff:ffff:ffff,??
2001:2::,2001:2:0:ffff:ffff:ffff:ffff:ffff,JP
2001:2:1::,2001:2:1::,FR
ffff::,ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,A1
`

func TestCountry(t *testing.T) {
	db, err := Read(strings.NewReader(file4), strings.NewReader(file6))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"0.0.0.0": "??", "0.255.255.255": "??", "1.0.0.0": "au", "1.0.0.255": "au", "1.0.1.0": "cn", "1.0.7.255": "cn", "1.0.8.0": "??",
		"1.2.3.3": "??", "1.2.3.4": "de", "1.2.3.5": "??", "255.255.254.255": "??", "255.255.255.0": "zz", "255.255.255.255": "zz",
		"::ffff:1.0.0.1": "au",
		"::":             "??", "2001::1": "??", "2001:2::": "jp", "2001:2:0:ffff:ffff:ffff:ffff:ffff": "jp", "2001:2:1::": "fr",
		"2001:2:1::1": "??", "fffe::": "??", "ffff::": "a1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "a1", "2001:2::1%eth0": "jp",
	} {
		if got := db.Country(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is in %q, want %q", addr, got, want)
		}
	}
	if got := db.Country(netip.Addr{}); got != Unknown {
		t.Errorf("no address is in %q", got)
	}
	if n := len(db.v4.from); n != 6 {
		t.Errorf("%d entries, want 6: adjacent ranges are one", n)
	}
	for i, text := range []string{file4, file6} {
		if got, ok := db.Digest(i == 1); !ok || got != sha1.Sum([]byte(text)) {
			t.Errorf("digest of file %d: %X, %v", i, got, ok)
		}
	}
}

func TestReadOneFamily(t *testing.T) {
	db, err := Read(nil, strings.NewReader(file6))
	if err != nil {
		t.Fatal(err)
	}
	if got := db.Country(netip.MustParseAddr("1.0.0.1")); got != Unknown {
		t.Errorf("got %q without a file", got)
	}
	if _, ok := db.Digest(false); ok {
		t.Error("there is a digest of no file")
	}
}

// Lines may come in any order, and some may be bad.
func TestReadTolerates(t *testing.T) {
	const text = "30,39,CC\n10,19,AA\n15,16,BB\n\n5,4,DD\nx,1,DD\n1,4294967296,DD\n1,2\n1,2,D\n1,2,D!\n-1,2,DD\n40,49,CC\n"
	db, err := Read(strings.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if db.Skipped != 7 {
		t.Errorf("%d lines skipped, want 7", db.Skipped)
	}
	for last, want := range map[byte]string{9: "??", 10: "aa", 15: "bb", 16: "bb", 17: "??", 29: "??", 30: "cc", 49: "cc", 50: "??"} {
		if got := db.Country(netip.AddrFrom4([4]byte{0, 0, 0, last})); got != want {
			t.Errorf("0.0.0.%d is in %q, want %q", last, got, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		r    io.Reader
		want error
	}{
		"empty":         {strings.NewReader(""), ErrEmpty},
		"only comments": {strings.NewReader("#\n"), ErrEmpty},
		"all bad":       {strings.NewReader("a,b,c\n"), ErrEmpty},
		"long line":     {strings.NewReader(strings.Repeat("x", maxLine+1)), bufio.ErrTooLong},
		"unreadable":    {io.MultiReader(strings.NewReader(file4), errReader{broken}), broken},
		"many":          {io.MultiReader(strings.NewReader(strings.Repeat("1,2,AA\n", maxEntries)), strings.NewReader("3,4,AA\n")), ErrTooMany},
	} {
		if _, err := Read(tt.r, nil); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// Debian has the files of C tor here.
const dir = "/usr/share/tor/"

func debian(tb testing.TB) (geoip, geoip6 []byte) {
	tb.Helper()
	var files [2][]byte
	for i, name := range []string{"geoip", "geoip6"} {
		b, err := os.ReadFile(dir + name)
		if err != nil {
			tb.Skip("tor-geoipdb is not installed")
		}
		files[i] = b
	}
	return files[0], files[1]
}

// TestDebian looks up both ends of each range.
func TestDebian(t *testing.T) {
	geoip, geoip6 := debian(t)
	db, err := Read(bytes.NewReader(geoip), bytes.NewReader(geoip6))
	if err != nil {
		t.Fatal(err)
	}
	if db.Skipped > 0 {
		t.Errorf("%d lines skipped", db.Skipped)
	}
	checkRanges(t, geoip, parse4, &db.v4)
	checkRanges(t, geoip6, parse6, &db.v6)
}

func checkRanges[A address[A]](t *testing.T, text []byte, parse func(string) (A, bool), table *table[A]) {
	t.Helper()
	n := 0
	for line := range bytes.Lines(text) {
		e, ok := parseEntry(strings.TrimSpace(string(line)), parse)
		if !ok {
			continue
		}
		n++
		if a, b := table.find(e.first), table.find(e.last); a != e.country || b != e.country {
			t.Errorf("%s: got %v and %v", line, a, b)
		}
	}
	t.Logf("%d ranges are %d entries", n, len(table.from))
}

func BenchmarkCountry(b *testing.B) {
	geoip, geoip6 := debian(b)
	db, err := Read(bytes.NewReader(geoip), bytes.NewReader(geoip6))
	if err != nil {
		b.Fatal(err)
	}
	for name, ipv6 := range map[string]bool{"IPv4": false, "IPv6": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			x := uint32(1)
			for b.Loop() {
				x = x*1664525 + 1013904223
				addr := netip.AddrFrom4([4]byte{byte(x >> 24), byte(x >> 16), byte(x >> 8), byte(x)})
				if ipv6 {
					addr = netip.AddrFrom16([16]byte{0x2a, byte(x >> 28), byte(x >> 20), byte(x >> 12), byte(x >> 4)})
				}
				db.Country(addr)
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	geoip, geoip6 := debian(b)
	b.SetBytes(int64(len(geoip) + len(geoip6)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(bytes.NewReader(geoip), bytes.NewReader(geoip6)); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzRead compares the table with a search through all lines.
func FuzzRead(f *testing.F) {
	f.Add(file4, uint32(16777300))
	f.Add("30,39,CC\n10,19,AA\n15,16,BB\n", uint32(17))
	f.Add("0,4294967295,AA\n4294967295,4294967295,BB\n", uint32(1<<32-1))
	f.Fuzz(func(t *testing.T, text string, x uint32) {
		db, err := Read(strings.NewReader(text), nil)
		Read(nil, strings.NewReader(text))
		if err != nil {
			return
		}
		// The range that begins last, of those in the order of the file.
		var best entry[addr4]
		found := false
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			if e, ok := parseEntry(line, parse4); ok && e.first <= addr4(x) && (!found || e.first >= best.first) {
				best, found = e, true
			}
		}
		want := country(0)
		if found && best.last >= addr4(x) {
			want = best.country
		}
		b := [4]byte{byte(x >> 24), byte(x >> 16), byte(x >> 8), byte(x)}
		if got := db.Country(netip.AddrFrom4(b)); got != want.String() {
			t.Errorf("%v is in %q, want %q", b, got, want)
		}
	})
}
