package bwfile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

const sample = `1795735034
version=1.4.0
software=sbws
software_version=1.1.0
latest_bandwidth=2026-11-26T20:00:00
bad header here=x
=====
bw=5000 node_id=$0101010101010101010101010101010101010101 nick=relay1 master_key_ed25519=xx
bw=100 node_id=0202020202020202020202020202020202020202
node_id=$0303030303030303030303030303030303030303 bw=2000 vote=0 unmeasured=1
` + "node_id=$0404040404040404040404040404040404040404\t bw=2000  unmeasured=1\n"

var now = time.Unix(1795735034, 0).Add(time.Hour)

func relay(n byte) (id [20]byte) {
	for i := range id {
		id[i] = n
	}
	return id
}

func hex(n int) string { return strings.Repeat(fmt.Sprintf("%02X", n), 20) }

// https://spec.torproject.org/bandwidth-file-spec/
func TestParse(t *testing.T) {
	f, err := Parse([]byte(sample), now)
	if err != nil {
		t.Fatal(err)
	}
	want := &File{
		Timestamp: time.Unix(1795735034, 0).UTC(),
		Headers:   []string{"timestamp=1795735034", "version=1.4.0", "software=sbws", "software_version=1.1.0", "latest_bandwidth=2026-11-26T20:00:00"},
		Relays:    []Measurement{{relay(1), 5000}, {relay(2), 100}, {relay(4), 2000}},
		Digest:    sha256.Sum256([]byte(sample)),
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestVoteOfCTor has the file and the lines of a vote that C tor 0.4.9.11 made of it.
func TestVoteOfCTor(t *testing.T) {
	const file = "1795735034\nversion=1.4.0\nsoftware=sbws\nsoftware_version=1.1.0\nlatest_bandwidth=2026-11-26T20:00:00\nbad header here=x\n=====\n" +
		"bw=5000 node_id=$30C81762900F0BEF274E38DE65D46D876103F544 nick=relay1 master_key_ed25519=xx\n" +
		"bw=100 node_id=3907674F2B7D82BD5F51298B2BB519D1E837530B\n" +
		"node_id=$9FFF24725C48A0386C4950FB93659520D51F3E4F bw=2000 vote=0 unmeasured=1\n" +
		"node_id=$1909D4A934D7E958C28B3E19E674678C18E7D36D bw=2000\n" +
		"node_id=$53083981082D50F92CCEA42DA80850A7760D6B7E bw=50\n" +
		"node_id=$F61181A2F6F8B415C57B5E23EABEADCDB2A27EA1 bw=700\n" +
		"node_id=$CECF6EBB2F71A4A0DF24A093BD80365360C9D877 bw=3100\n" +
		"node_id=$4BD5775F5D21914E82D9058713BCB992DDA9D761 bw=9000\n"
	const want = "bandwidth-file-headers timestamp=1795735034 version=1.4.0 software=sbws software_version=1.1.0 latest_bandwidth=2026-11-26T20:00:00\n" +
		"bandwidth-file-digest sha256=iiFR4ICTuRCqCoxSVS04/J0YE+KHd/8OTfB27i44lbc\n"
	f, err := Parse([]byte(file), now)
	if err != nil {
		t.Fatal(err)
	}
	if got := vote(t, f); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func vote(t testing.TB, f *File) string {
	t.Helper()
	e := netdoc.NewEncoder(nil)
	f.AppendVote(e)
	text, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestBadFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		err  error
	}{
		"empty":       {"", ErrEmpty},
		"no line end": {"1795735034", netdoc.ErrTruncated},
		"no number":   {"1795735034 \nbw=1 node_id=" + hex(1) + "\n", netdoc.ErrBadValue},
		"negative":    {"-5\n", netdoc.ErrBadValue},
		"blank line":  {"\n1795735034\n", netdoc.ErrMissing},
		"overflow":    {"9223372036854775808\n", netdoc.ErrBadValue},
		"too old":     {"1795475833\n", ErrStale},
	} {
		f, err := Parse([]byte(tc.text), now)
		if !errors.Is(err, tc.err) || f.Headers != nil || f.Relays != nil || f.Digest != sha256.Sum256([]byte(tc.text)) {
			t.Errorf("%s: got %+v, error %v, want error %v", name, f, err, tc.err)
		}
		if got := vote(t, f); !strings.HasPrefix(got, "bandwidth-file-headers \nbandwidth-file-digest sha256=") {
			t.Errorf("%s: vote %q", name, got)
		}
	}
	if _, err := Parse([]byte("1795479435\n"), now); err != nil {
		t.Errorf("just not too old: %v", err)
	}
	if f, err := Parse(make([]byte, MaxLen+1), now); !errors.Is(err, ErrTooLong) || f.Relays != nil {
		t.Errorf("too long: %v", err)
	}
}

func TestLines(t *testing.T) {
	id := "node_id=$" + hex(1)
	for _, tc := range []struct {
		line string
		kb   uint32
		err  error
	}{
		{"bw=7 " + id, 7, nil},
		{id + " bw=7 vote=1", 7, nil},
		{"  bw=7\t" + id + " ", 7, nil},
		{"bw=0 " + id, 0, nil},
		{"bw=4294967296 " + id, math.MaxUint32, nil},
		{"bw_mean=3 bw=7 node_id_x=4 " + id, 7, nil},
		{"bw=7 vote=0 " + id, 0, errNoVote},
		{"bw=7", 0, netdoc.ErrMissing},
		{id, 0, netdoc.ErrMissing},
		{"", 0, netdoc.ErrMissing},
		{"bw= " + id, 0, netdoc.ErrBadValue},
		{"bw=-1 " + id, 0, netdoc.ErrBadValue},
		{"bw=1.5 " + id, 0, netdoc.ErrBadValue},
		{"bw=9223372036854775808 " + id, 0, netdoc.ErrBadValue},
		{"bw=1 bw=1 " + id, 0, netdoc.ErrTooMany},
		{"bw=1 " + id + " " + id, 0, netdoc.ErrTooMany},
		{"bw=1 node_id=" + hex(1)[2:], 0, netdoc.ErrBadValue},
		{"bw=1 node_id=" + hex(1) + "00", 0, netdoc.ErrBadValue},
		{"bw=1 node_id=$" + hex(1) + "=relay", 0, netdoc.ErrBadValue},
		{"bw=1 node_id=$$" + hex(1), 0, netdoc.ErrBadValue},
	} {
		f, err := Parse([]byte("1795735034\n=====\n"+tc.line+"\n"), now)
		if err != nil {
			t.Fatal(err)
		}
		want := []Measurement{{relay(1), tc.kb}}
		if tc.err != nil {
			want = nil
		}
		if diff := cmp.Diff(want, f.Relays); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tc.line, diff)
		}
		if tc.err != nil && tc.err != errNoVote && (len(f.Warnings) != 1 || !errors.Is(f.Warnings[0], tc.err) || !strings.Contains(f.Warnings[0].Error(), "line 3")) {
			t.Errorf("%q: warnings %v, want %v", tc.line, f.Warnings, tc.err)
		}
	}
}

func TestHeaders(t *testing.T) {
	long := strings.Repeat("x", 900)
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"version 1.0.0":         {"bw=1 node_id=" + hex(1) + "\na=b\n", nil},
		"after the terminator":  {"a=b\n=====\nc=d\n", []string{"a=b"}},
		"no key":                {"=b\n==\nab\n", nil},
		"no value":              {"a=\n", []string{"a="}},
		"several words":         {"a=b c=d\na=b\tc\n", nil},
		"carriage return":       {"a=b\r\n", nil},
		"torn":                  {"a=b\nc=d", []string{"a=b"}},
		"not voted on":          {"bw=1 vote=0 node_id=" + hex(1) + "\na=b\n", []string{"a=b"}},
		"bad relay is a header": {"bw=x\n", []string{"bw=x"}},
		"too many":              {strings.Repeat("a=b\n", 100), slicesRepeat("a=b", 49)},
		"long":                  {"a=" + long + "\nb=" + long + "\n", []string{"a=" + long, "b=" + long}},
	} {
		f, err := Parse([]byte("1795735034\n"+tc.text), now)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append([]string{"timestamp=1795735034"}, tc.want...), f.Headers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := vote(t, f); name == "long" && !strings.HasPrefix(got, "bandwidth-file-headers \n") {
			t.Errorf("%s: vote %.60q", name, got)
		}
	}
}

func slicesRepeat(s string, n int) (list []string) {
	for range n {
		list = append(list, s)
	}
	return list
}

func TestVoted(t *testing.T) {
	f, err := Parse([]byte("1795735034\nbw=1 node_id="+hex(1)+"\nbw=2 node_id="+hex(2)+"\nbw=9 node_id="+hex(1)+"\n"), now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[[20]byte]uint32{relay(1): 9, relay(2): 2}, f.Voted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCache(t *testing.T) {
	var c Cache
	update := func(at time.Time, lines string, now time.Time) {
		f, err := Parse(fmt.Appendf(nil, "%d\n%s", at.Unix(), lines), now)
		if err != nil {
			t.Fatal(err)
		}
		c.Update(f, now)
	}
	want := func(what string, n byte, kb uint32, ok bool) {
		t.Helper()
		if got, has := c.Get(relay(n)); got != kb || has != ok {
			t.Errorf("%s: got %d, %v, want %d, %v", what, got, has, kb, ok)
		}
	}
	want("empty", 1, 0, false)
	update(now, "bw=1 node_id="+hex(1)+"\nbw=9 node_id="+hex(1)+"\n", now)
	want("first of two lines", 1, 1, true)
	update(now.Add(-time.Hour), "bw=5 node_id="+hex(1)+"\n", now)
	want("older file", 1, 1, true)
	update(now.Add(time.Hour), "bw=7 node_id="+hex(2)+"\n", now.Add(time.Hour))
	want("relay that the new file leaves out", 1, 1, true)
	want("relay of the new file", 2, 7, true)
	update(now.Add(MaxAge), "bw=8 node_id="+hex(2)+"\n", now.Add(MaxAge).Add(time.Second))
	want("too old", 1, 0, false)
	want("renewed", 2, 8, true)
	c.Clear()
	want("cleared", 2, 0, false)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("1795735034\nbw=1 node_id=" + hex(1) + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data, now)
		text := vote(t, file)
		if err != nil {
			return
		}
		if len(text) > maxHeadersLine+200 || len(file.Headers) > maxHeaders || len(file.Warnings) > maxWarnings {
			t.Fatalf("too much: %d bytes, %d headers, %d warnings", len(text), len(file.Headers), len(file.Warnings))
		}
		var c Cache
		c.Update(file, now)
	})
}
