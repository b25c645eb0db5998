package dirclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// Bounds of what an authority answers, in bytes.
const (
	maxReason    = 200 // of its words, in the log
	maxReplyHead = 16 << 10
	maxReplyBody = 16 << 10 // nobody needs it
)

// printable makes what an authority says fit for a log.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), maxReason)]
}

// A Reply is what a server says to an upload.
type Reply struct {
	Status      int
	Reason      string     // printable
	NotNew      bool       // it has one that is much like this one
	YourAddress netip.Addr // what it sees us as; invalid if it does not tell
	Date        time.Time  // its clock; zero if it does not tell
}

// Post uploads over plain HTTP, as relays and authorities do: authorities know who publishes anyway. The reason is why the
// document was made, and goes along unless it is empty.
func Post(ctx context.Context, network netx.Network, to netip.AddrPort, path string, body []byte, reason string) (r Reply, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to.String()+path, bytes.NewReader(body))
	if err != nil {
		return r, err
	}
	req.Header["User-Agent"] = nil
	req.Header.Set("Content-Type", "text/plain")
	if reason != "" {
		req.Header.Set("X-Desc-Gen-Reason", printable(reason))
	}
	// A transport would go on dialing when ctx has ended, and nobody would wait for that.
	conn, err := network.Dial(ctx, "tcp", to.String())
	if err != nil {
		return r, err
	}
	defer conn.Close()
	tr := &http.Transport{
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		DisableKeepAlives:  true,
		DisableCompression: true, MaxResponseHeaderBytes: maxReplyHead,
	}
	client := http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxReplyBody))
	if resp.StatusCode < 100 || resp.StatusCode > 599 {
		return r, fmt.Errorf("status %d: %w", resp.StatusCode, dirhttp.ErrSyntax)
	}
	_, text, _ := strings.Cut(resp.Status, " ")
	r = Reply{Status: resp.StatusCode, Reason: printable(text), NotNew: resp.Header.Get("X-Descriptor-Not-New") == "Yes"}
	if a, err := netip.ParseAddr(resp.Header.Get("X-Your-Address-Is")); err == nil && a.Zone() == "" {
		r.YourAddress = a.Unmap()
	}
	if d, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		r.Date = d
	}
	return r, nil
}
