package dirhttp

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var when = time.Date(2026, 8, 20, 13, 14, 15, 0, time.UTC)

const whenText = "Thu, 20 Aug 2026 13:14:15 GMT"

// compareValues lets cmp look into addresses.
var compareValues = cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()}

func TestHeadFinder(t *testing.T) {
	const stream = "HTTP/1.0 200 OK\r\nDate: x\r\n\r\nbody\r\n\r\n"
	want := strings.Index(stream, "body")
	for step := 1; step < 7; step++ {
		var f HeadFinder
		for n := 0; ; n = min(n+step, len(stream)) {
			head, err := f.Find([]byte(stream[:n]))
			if err != nil {
				t.Fatal(err)
			}
			if head == nil {
				if n >= want {
					t.Fatalf("step %d: nothing found in %d bytes", step, n)
				}
				continue
			}
			if string(head) != stream[:want] {
				t.Fatalf("step %d: got %q", step, head)
			}
			break
		}
	}
	var f HeadFinder
	for _, n := range []int{MaxHead - 1, MaxHead} {
		if _, err := f.Find(bytes.Repeat([]byte("x"), n)); (err != nil) != (n == MaxHead) {
			t.Errorf("%d bytes without an end: %v", n, err)
		}
	}
	if _, err := new(HeadFinder).Find([]byte(strings.Repeat("x", MaxHead) + "\r\n\r\n")); !errors.Is(err, ErrTooLong) {
		t.Errorf("long head: %v", err)
	}
}

// The head that C tor sends for a microdescriptor consensus over one hop.
// https://spec.torproject.org/dir-spec/standards-compliance.html
func TestRequest(t *testing.T) {
	r := &Request{
		Method:          "GET",
		Path:            ConsensusPath{Flavor: "microdesc", Signers: []string{"ED03BB", "0232AF"}}.String(),
		Host:            Host(netip.MustParseAddrPort("192.0.2.1:9001")),
		IfModifiedSince: when,
		AcceptEncoding:  All,
		DiffFrom:        [][32]byte{{0xab}, {0xcd}},
		Length:          -1,
	}
	head, err := r.AppendTo(nil)
	want := "GET /tor/status-vote/current/consensus-microdesc/0232AF+ED03BB.z HTTP/1.0\r\n" +
		"Host: 192.0.2.1:9001\r\n" +
		"If-Modified-Since: " + whenText + "\r\n" +
		"Accept-Encoding: x-tor-lzma, x-zstd, deflate, gzip, identity\r\n" +
		"X-Or-Diff-From-Consensus: AB" + strings.Repeat("00", 31) + " CD" + strings.Repeat("00", 31) + "\r\n\r\n"
	if err != nil || string(head) != want {
		t.Fatalf("got %q, %v, want %q", head, err, want)
	}
	got, err := ParseRequest(head)
	if err != nil {
		t.Fatal(err)
	}
	wantQuery := &Query{
		Method: "GET", Path: "/tor/status-vote/current/consensus-microdesc/0232AF+ED03BB",
		Accept: Encodings(0).With(Identity).With(Deflate).With(Gzip).With(Zstd).With(LZMA), IfModifiedSince: when,
		DiffFrom: r.DiffFrom, Length: -1,
	}
	if diff := cmp.Diff(wantQuery, got, compareValues); diff != "" {
		t.Error(diff)
	}

	post := &Request{Method: "POST", Path: PathUpload, Host: "[2001:db8::1]", GenReason: "rotated onion key", Length: 7}
	head, err = post.AppendTo([]byte("x"))
	if want := "xPOST /tor/ HTTP/1.0\r\nHost: [2001:db8::1]\r\nX-Desc-Gen-Reason: rotated onion key\r\nContent-Length: 7\r\n\r\n"; err != nil || string(head) != want {
		t.Fatalf("got %q, %v, want %q", head, err, want)
	}
}

func TestHost(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "192.0.2.1:443": "192.0.2.1:443",
		"[2001:db8::1]:80": "[2001:db8::1]", "[2001:db8::1]:443": "[2001:db8::1]:443",
	} {
		if got := Host(netip.MustParseAddrPort(addr)); got != want {
			t.Errorf("%s: got %s", addr, got)
		}
	}
}

func TestUnsafeHeads(t *testing.T) {
	for name, r := range map[string]*Request{
		"line in path":   {Method: "GET", Path: "/tor/\r\nX: y"},
		"space in path":  {Method: "GET", Path: "/tor/ x"},
		"no path":        {Method: "GET"},
		"line in reason": {Method: "GET", Path: "/", GenReason: "a\nb"},
		"return in host": {Method: "GET", Path: "/", Host: "a\rb"},
	} {
		if head, err := r.AppendTo(nil); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s: got %q, %v", name, head, err)
		}
	}
	if _, err := (&Response{Status: 200, Reason: "a\r\nb"}).AppendTo(nil); !errors.Is(err, ErrUnsafe) {
		t.Errorf("line in reason: %v", err)
	}
	if _, err := (&Request{Method: "GET", Path: strings.Repeat("x", MaxHead)}).AppendTo(nil); !errors.Is(err, ErrTooLong) {
		t.Errorf("long path: %v", err)
	}
}

func TestParseRequest(t *testing.T) {
	for _, tt := range []struct {
		name, head string
		want       Query
	}{
		{"plain", "GET /tor/keys/all HTTP/1.0\r\n\r\n", Query{Method: "GET", Path: "/tor/keys/all", Accept: 1, Length: -1}},
		{"zlib by suffix", "GET /x.z HTTP/1.0\r\n\r\n", Query{Method: "GET", Path: "/x", Accept: 3, Length: -1}},
		{"proxy style", "GET http://a:1/tor/ HTTP/1.1\r\n\r\n", Query{Method: "GET", Path: "/tor/", Accept: 1, Length: -1}},
		{"host without path", "GET http://a HTTP/1.1\r\n\r\n", Query{Method: "GET", Path: "http://a", Accept: 1, Length: -1}},
		{"space before", "\r\n GET / HTTP/1.0\r\n\r\n", Query{Method: "GET", Path: "/", Accept: 1, Length: -1}},
		{"first header counts", "GET / HTTP/1.0\r\nContent-Length: 1\r\ncontent-length: 2\r\nx\r\n\r\n",
			Query{Method: "GET", Path: "/", Accept: 1, Length: 1}},
		{"forwarded", "GET / HTTP/1.0\r\nX-Forwarded-For: b\r\nForwarded-For:a \r\n\r\n",
			Query{Method: "GET", Path: "/", Accept: 1, ForwardedFor: "a", Length: -1}},
		{"password", "GET / HTTP/1.0\r\nauthorization: basic  YTpi \r\n\r\n", Query{Method: "GET", Path: "/", Accept: 1, Basic: "YTpi", Length: -1}},
		{"other scheme", "GET / HTTP/1.0\r\nAuthorization: Bearer YTpi\r\n\r\n", Query{Method: "GET", Path: "/", Accept: 1, Length: -1}},
		{"no credentials", "GET / HTTP/1.0\r\nAuthorization: Basic\r\n\r\n", Query{Method: "GET", Path: "/", Accept: 1, Length: -1}},
		{"bad values are ignored", "GET / HTTP/1.0\r\nIf-Modified-Since: now\r\nX-Or-Diff-From-Consensus: A,BB\r\n" +
			"Accept-Encoding: br, gzip\r\n\r\n", Query{Method: "GET", Path: "/", Accept: 5, Length: -1}},
	} {
		got, err := ParseRequest([]byte(tt.head))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if diff := cmp.Diff(&tt.want, got, compareValues); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	many := "GET / HTTP/1.0\r\nX-Or-Diff-From-Consensus:" + strings.Repeat(" "+strings.Repeat("ab", 32), 500) + "\r\n\r\n"
	if q, err := ParseRequest([]byte(many)); err != nil || len(q.DiffFrom) != maxDiffFrom {
		t.Errorf("many digests: %v", err)
	}
}

func TestBadRequests(t *testing.T) {
	for name, head := range map[string]string{
		"empty":           "",
		"no line":         "GET / HTTP/1.0",
		"no version":      "GET /\r\n\r\n",
		"other version":   "GET / HTTP/2.0\r\n\r\n",
		"bad version":     "GET / HTTP/1.x\r\n\r\n",
		"too many words":  "GET / x HTTP/1.0\r\n\r\n",
		"negative length": "POST / HTTP/1.0\r\nContent-Length: -1\r\n\r\n",
		"length text":     "POST / HTTP/1.0\r\nContent-Length: 1x\r\n\r\n",
		"huge length":     "POST / HTTP/1.0\r\nContent-Length: 2147483648\r\n\r\n",
	} {
		if q, err := ParseRequest([]byte(head)); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: got %+v, %v", name, q, err)
		}
	}
}

// https://spec.torproject.org/dir-spec/standards-compliance.html
func TestResponse(t *testing.T) {
	r := &Response{
		Status: StatusOK, Reason: "OK", Date: when, YourAddress: netip.MustParseAddr("192.0.2.7"), Encoding: LZMA, Length: 12,
		Expires: when.Add(time.Hour),
	}
	head, err := r.AppendTo(nil)
	want := "HTTP/1.0 200 OK\r\nDate: " + whenText + "\r\nContent-Type: text/plain\r\nX-Your-Address-Is: 192.0.2.7\r\n" +
		"Content-Encoding: x-tor-lzma\r\nContent-Length: 12\r\nExpires: Thu, 20 Aug 2026 14:14:15 GMT\r\n\r\n"
	if err != nil || string(head) != want {
		t.Fatalf("got %q, %v, want %q", head, err, want)
	}
	got, err := ParseResponse(head)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got, compareValues); diff != "" {
		t.Error(diff)
	}
	head, err = (&Response{Status: StatusNotFound, Reason: "Not found", Encoding: Gzip}).AppendTo(nil)
	if want := "HTTP/1.0 404 Not found\r\n\r\n"; err != nil || string(head) != want {
		t.Errorf("got %q, %v, want %q", head, err, want)
	}
}

func TestParseResponse(t *testing.T) {
	for _, tt := range []struct {
		name, head string
		want       Response
	}{
		{"no headers", "HTTP/1.0 404 Not found\r\n\r\n", Response{Status: 404, Reason: "Not found", Length: -1}},
		{"no reason", "HTTP/1.1 200\r\n\r\n", Response{Status: 200, Length: -1}},
		{"space", "\r\nHTTP/1.1  200  OK \r\n\r\n", Response{Status: 200, Reason: "OK", Length: -1}},
		{"other encoding", "HTTP/1.0 200 OK\r\nContent-Encoding: br\r\n\r\n",
			Response{Status: 200, Reason: "OK", Encoding: Unknown, Length: -1}},
		{"old name", "HTTP/1.0 200 OK\r\nCONTENT-ENCODING: x-gzip\r\n\r\n",
			Response{Status: 200, Reason: "OK", Encoding: Gzip, Length: -1}},
		{"other times", "HTTP/1.0 200 OK\r\nDate: Thursday, 20-Aug-26 13:14:15 GMT\r\nExpires: Thu Aug 20 13:14:15 2026\r\n\r\n",
			Response{Status: 200, Reason: "OK", Date: when, Expires: when, Length: -1}},
		{"bad values are ignored", "HTTP/1.0 200 OK\r\nDate: soon\r\nX-Your-Address-Is: fe80::1%eth0\r\nX-Descriptor-Not-New: Yes\r\n\r\n",
			Response{Status: 200, Reason: "OK", NotNew: true, Length: -1}},
	} {
		got, err := ParseResponse([]byte(tt.head))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if diff := cmp.Diff(&tt.want, got, compareValues); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestBadResponses(t *testing.T) {
	for name, head := range map[string]string{
		"empty":        "",
		"no line":      "HTTP/1.0 200 OK",
		"not HTTP":     "SSH-2.0-x\r\n\r\n",
		"HTTP/2":       "HTTP/2.0 200 OK\r\n\r\n",
		"no status":    "HTTP/1.0\r\n\r\n",
		"low status":   "HTTP/1.0 99 x\r\n\r\n",
		"high status":  "HTTP/1.0 600 x\r\n\r\n",
		"status sign":  "HTTP/1.0 +200 x\r\n\r\n",
		"bogus length": "HTTP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
	} {
		if r, err := ParseResponse([]byte(head)); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("GET /tor/keys/all.z HTTP/1.0\r\nHost: x\r\nAccept-Encoding: gzip, x-zstd\r\n\r\n"))
	f.Add([]byte("POST http://x/tor/ HTTP/1.0\r\nContent-Length: 5\r\nX-Or-Diff-From-Consensus: " + strings.Repeat("ab", 32) + "\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		head, err := new(HeadFinder).Find(data)
		if err != nil || head == nil {
			return
		}
		q, err := ParseRequest(head)
		if err != nil {
			return
		}
		r := &Request{Method: q.Method, Path: q.Path, IfModifiedSince: q.IfModifiedSince, DiffFrom: q.DiffFrom, Length: q.Length}
		out, err := r.AppendTo(nil)
		if err != nil {
			return // such as a vertical tab, which is no space in a path to us
		}
		if again, err := ParseRequest(out); err != nil || again.Length != q.Length || len(again.DiffFrom) != len(q.DiffFrom) {
			t.Fatalf("%q is read again as %+v, %v", out, again, err)
		}
	})
}

func FuzzParseResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.0 200 OK\r\nDate: " + whenText + "\r\nContent-Encoding: deflate\r\nContent-Length: 5\r\n\r\nabcde"))
	f.Fuzz(func(t *testing.T, data []byte) {
		head, err := new(HeadFinder).Find(data)
		if err != nil || head == nil {
			return
		}
		r, err := ParseResponse(head)
		if err != nil || r.Encoding == Unknown || r.Status != StatusOK {
			return
		}
		out, err := r.AppendTo(nil)
		if err != nil {
			return // a carriage return in the reason
		}
		again, err := ParseResponse(out)
		if err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if diff := cmp.Diff(r, again, compareValues); diff != "" {
			t.Fatal(diff)
		}
	})
}
