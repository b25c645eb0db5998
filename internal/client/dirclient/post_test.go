package dirclient

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

var (
	postedFrom = netip.MustParseAddr("1.2.3.4")
	postedTo   = netip.MustParseAddrPort("192.0.2.1:80")
)

const postTimeout = time.Minute

// post uploads to a server that answers with a text, byte by byte if pause is not 0, and returns what that has got, too.
func post(t testing.TB, text string, pause time.Duration) (r Reply, request string, err error) {
	t.Helper()
	n := memnet.New(memnet.Link{})
	here, there := n.Host("relay", postedFrom), n.Host("authority", postedTo.Addr())
	l, err := there.Listen(t.Context(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	got := make(chan string, 1)
	wg.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b, _ := io.ReadAll(io.LimitReader(c, int64(uploadLen(c))))
		got <- string(b)
		if pause == 0 {
			io.WriteString(c, text)
			return
		}
		for _, x := range []byte(text) {
			time.Sleep(pause)
			if _, err := c.Write([]byte{x}); err != nil {
				return
			}
		}
	})
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), postTimeout)
	defer cancel()
	start := time.Now()
	r, err = Post(ctx, here, postedTo, dirhttp.PathUpload, []byte("descriptor"), "test")
	if took := time.Since(start); took > postTimeout {
		t.Errorf("took %v", took)
	}
	return r, <-got, err
}

// uploadLen reads a request head, and returns the length of the body.
func uploadLen(c net.Conn) int {
	var finder dirhttp.HeadFinder
	var buf []byte
	for b := make([]byte, 1); ; {
		if _, err := c.Read(b); err != nil {
			return 0
		}
		buf = append(buf, b[0])
		head, err := finder.Find(buf)
		if err != nil {
			return 0
		}
		if head != nil {
			q, err := dirhttp.ParseRequest(head)
			if err != nil || q.Method != "POST" || q.Path != "/tor/" || q.GenReason != "test" {
				return 0
			}
			return int(q.Length)
		}
	}
}

// What an authority answers is bounded and printable.
func TestPostHTTP(t *testing.T) {
	when := time.Date(2026, 8, 20, 13, 14, 15, 0, time.UTC)
	for _, tt := range []struct {
		name, text string
		pause      time.Duration
		want       Reply
		bad        bool
	}{
		{name: "accepted", text: "HTTP/1.0 200 Descriptor accepted\r\nDate: Thu, 20 Aug 2026 13:14:15 GMT\r\nX-Your-Address-Is: 1.2.3.4\r\n\r\n",
			want: Reply{Status: 200, Reason: "Descriptor accepted", YourAddress: postedFrom, Date: when}},
		{name: "not new", text: "HTTP/1.0 200 OK\r\nX-Descriptor-Not-New: Yes\r\n\r\n", want: Reply{Status: 200, Reason: "OK", NotNew: true}},
		{name: "refused", text: "HTTP/1.0 400 Not\x1bok\r\nX-Your-Address-Is: nonsense\r\nDate: soon\r\n\r\n", want: Reply{Status: 400, Reason: "Not?ok"}},
		{name: "scope", text: "HTTP/1.0 200 OK\r\nX-Your-Address-Is: fe80::1%eth0\r\n\r\n", want: Reply{Status: 200, Reason: "OK"}},
		{name: "redirect", text: "HTTP/1.0 302 Away\r\nLocation: http://127.0.0.1:1/\r\n\r\n", want: Reply{Status: 302, Reason: "Away"}},
		{name: "long reason", text: "HTTP/1.0 503 " + strings.Repeat("x", 3000) + "\r\n\r\n", want: Reply{Status: 503, Reason: strings.Repeat("x", maxReason)}},
		{name: "long head", text: "HTTP/1.0 200 OK\r\nA: " + strings.Repeat("x", 100_000) + "\r\n\r\n", bad: true},
		{name: "many headers", text: "HTTP/1.0 200 OK\r\n" + strings.Repeat("A: b\r\n", 20_000) + "\r\n", bad: true},
		{name: "huge body", text: "HTTP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + strings.Repeat("x", 1<<20), want: Reply{Status: 200, Reason: "OK"}},
		{name: "endless body", text: "HTTP/1.0 200 OK\r\n\r\n" + strings.Repeat("x", 1<<16), pause: time.Second, want: Reply{Status: 200, Reason: "OK"}},
		{name: "slow head", text: "HTTP/1.0 200 OK\r\n" + strings.Repeat("A: b\r\n", 1000), pause: time.Second, bad: true},
		{name: "garbage", text: "\x00\x01\x02", bad: true},
		{name: "no status", text: "HTTP/1.0 xxx OK\r\n\r\n", bad: true},
		{name: "odd status", text: "HTTP/1.0 000 \r\n\r\n", bad: true},
		{name: "nothing", bad: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, request, err := post(t, tt.text, tt.pause)
			if (err != nil) != tt.bad || err == nil && (r != tt.want) {
				t.Errorf("%s: %+v, %v", tt.name, r, err)
			}
			if request != "descriptor" {
				t.Errorf("%s: uploaded %q", tt.name, request)
			}
		})
	}
}

// FuzzReply feeds answers that nobody would think of.
func FuzzReply(f *testing.F) {
	f.Add("HTTP/1.0 200 OK\r\nDate: Thu, 20 Aug 2026 13:14:15 GMT\r\nX-Your-Address-Is: ::ffff:1.2.3.4\r\n\r\nbody")
	f.Add("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 \x1b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, _, err := post(t, text, 0)
		if err != nil {
			return
		}
		if r.Reason != printable(r.Reason) || r.Status < 100 || r.YourAddress.Is4In6() || r.YourAddress.Zone() != "" {
			t.Errorf("%+v", r)
		}
	})
}

// Nobody listens.
func TestPostNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Link{})
		ctx, cancel := context.WithTimeout(t.Context(), postTimeout)
		defer cancel()
		if r, err := Post(ctx, n.Host("relay", postedFrom), netip.MustParseAddrPort("9.9.9.9:80"), dirhttp.PathUpload, nil, "test"); err == nil {
			t.Errorf("%+v", r)
		}
	})
}

// Who is given up on is not dialed any more: the bubble would complain.
func TestPostGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Link{})
		here, there := n.Host("relay", postedFrom), n.Host("authority", postedTo.Addr())
		n.Cut(here, there)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if r, err := Post(ctx, here, postedTo, dirhttp.PathUpload, nil, "test"); err == nil {
			t.Errorf("%+v", r)
		}
	})
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"ok ~": "ok ~", "a\x00b\x7f\n": "a?b??", "é\xff": "??", strings.Repeat("x", 1000): strings.Repeat("x", maxReason),
	} {
		if got := printable(in); got != want {
			t.Errorf("%.20q: got %q", in, got)
		}
	}
}
