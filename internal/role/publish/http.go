package publish

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

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

// postHTTP uploads over plain HTTP, as relays do: authorities know who publishes anyway.
func (p *Publisher) postHTTP(ctx context.Context, to netip.AddrPort, body []byte, reason string) (r Reply, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to.String()+dirhttp.PathUpload, bytes.NewReader(body))
	if err != nil {
		return r, err
	}
	req.Header["User-Agent"] = nil
	req.Header.Set("Content-Type", "text/plain")
	req.Header.Set("X-Desc-Gen-Reason", printable(reason))
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return p.cfg.Env.Net.Dial(ctx, "tcp", addr)
		},
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
