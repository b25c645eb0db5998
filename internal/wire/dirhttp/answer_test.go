package dirhttp

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The heads of C tor, which its clients parse and Response reads back.
// https://spec.torproject.org/dir-spec/standards-compliance.html
func TestAnswer(t *testing.T) {
	for _, tt := range []struct {
		name string
		a    Answer
		want string
		read Response
	}{
		{"consensus", Answer{Date: when, YourAddress: netip.MustParseAddr("192.0.2.7"), Encoding: Zstd, Length: 5, Lifetime: time.Hour, VaryDiff: true},
			"HTTP/1.0 200 OK\r\nDate: " + whenText + "\r\nContent-Type: text/plain\r\nX-Your-Address-Is: 192.0.2.7\r\n" +
				"Content-Encoding: x-zstd\r\nContent-Length: 5\r\nExpires: Thu, 20 Aug 2026 14:14:15 GMT\r\n" +
				"Vary: X-Or-Diff-From-Consensus\r\n\r\n",
			Response{Status: 200, Reason: "OK", Date: when, YourAddress: netip.MustParseAddr("192.0.2.7"), Encoding: Zstd, Length: 5, Expires: when.Add(time.Hour)}},
		{"page", Answer{Date: when, Type: "text/html", Length: -1},
			"HTTP/1.0 200 OK\r\nDate: " + whenText + "\r\nContent-Type: text/html\r\nContent-Encoding: identity\r\nPragma: no-cache\r\n\r\n",
			Response{Status: 200, Reason: "OK", Date: when, Length: -1}},
	} {
		head := tt.a.AppendTo([]byte("x"))
		if string(head) != "x"+tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, head, tt.want)
		}
		got, err := ParseResponse(head[1:])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&tt.read, got, compareValues); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	a, buf := Answer{Date: when, Length: 1, Lifetime: time.Hour}, make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { a.AppendTo(buf) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestShort(t *testing.T) {
	for _, tt := range []struct {
		s    Short
		want string
	}{
		{Short{Status: 404, Reason: "Not found", Date: when}, "HTTP/1.0 404 Not found\r\nDate: " + whenText + "\r\n\r\n"},
		{Short{Status: 200, Reason: "OK", Date: when, NotNew: true},
			"HTTP/1.0 200 OK\r\nDate: " + whenText + "\r\nX-Descriptor-Not-New: Yes\r\n\r\n"},
	} {
		if got, err := tt.s.AppendTo(nil); err != nil || string(got) != tt.want {
			t.Errorf("got %q, %v, want %q", got, err, tt.want)
		}
	}
	if _, err := (&Short{Status: 200, Reason: "a\r\nX: y"}).AppendTo(nil); !errors.Is(err, ErrUnsafe) {
		t.Errorf("line in reason: %v", err)
	}
	if _, err := (&Short{Status: 99}).AppendTo(nil); !errors.Is(err, ErrSyntax) {
		t.Errorf("status: %v", err)
	}
}

func TestCheckLines(t *testing.T) {
	for _, n := range []int{MaxLines, MaxLines + 1} {
		if err := CheckLines(bytes.Repeat([]byte("\r\n"), n)); errors.Is(err, ErrTooLong) != (n > MaxLines) {
			t.Errorf("%d lines: %v", n, err)
		}
	}
	if err := CheckLines([]byte(strings.Repeat("x", 1000))); err != nil {
		t.Error(err)
	}
}
