package interop_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
)

// A fetcher gets a URL through a SOCKS port with names left to it, as a user's program would. It sends up, if any, and
// writes what comes to down.
type fetcher func(ctx context.Context, proxy *url.URL, target string, up io.Reader, down io.Writer) error

// proxyURL is a client's SOCKS port. A user, or user:password, is what streams are isolated by; it may be empty.
func proxyURL(addr, user string) *url.URL {
	u := &url.URL{Scheme: "socks5", Host: addr}
	if name, password, _ := strings.Cut(user, ":"); name != "" {
		u.User = url.UserPassword(name, password)
	}
	return u
}

// request returns the answer to a request, whose body must be closed.
func request(ctx context.Context, proxy *url.URL, target string, up io.Reader) (*http.Response, error) {
	method := http.MethodGet
	if up != nil {
		method = http.MethodPut
	}
	req, err := http.NewRequestWithContext(ctx, method, target, up)
	if err != nil {
		return nil, err
	}
	// A transport of its own has no connection to use again.
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("answer is %s", resp.Status)
	}
	return resp, nil
}

// viaGo is a fetcher.
func viaGo(ctx context.Context, proxy *url.URL, target string, up io.Reader, down io.Writer) error {
	resp, err := request(ctx, proxy, target, up)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(down, resp.Body)
	return err
}

// viaCurl is a fetcher, and viaGo where there is no curl.
func viaCurl(ctx context.Context, proxy *url.URL, target string, up io.Reader, down io.Writer) error {
	curl, err := exec.LookPath("curl")
	if err != nil {
		return viaGo(ctx, proxy, target, up, down)
	}
	remote := *proxy
	remote.Scheme = "socks5h" // by socks5 curl means that it looks names up by itself
	args := []string{"--silent", "--show-error", "--fail", "--proxy", remote.String()}
	if up != nil {
		args = append(args, "--upload-file", "-")
	}
	cmd := exec.CommandContext(ctx, curl, append(args, target)...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = up, down, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, &stderr)
	}
	return nil
}

// download gets a body of the web server and compares it.
func download(ctx context.Context, via fetcher, proxy *url.URL, base, seed string, size int64) error {
	got := sha256.New()
	target := fmt.Sprintf("%s?seed=%s&size=%d", base, url.QueryEscape(seed), size)
	if err := via(ctx, proxy, target, nil, got); err != nil {
		return fmt.Errorf("download of %d bytes: %w", size, err)
	}
	if want := sum(seed, size); !bytes.Equal(got.Sum(nil), want) {
		return fmt.Errorf("download of %d bytes: SHA-256 is %x, want %x", size, got.Sum(nil), want)
	}
	return nil
}

// upload sends a body to the web server and compares what it got.
func upload(ctx context.Context, via fetcher, proxy *url.URL, target, seed string, size int64) error {
	var got bytes.Buffer
	if err := via(ctx, proxy, target, body(seed, size), &got); err != nil {
		return fmt.Errorf("upload of %d bytes: %w", size, err)
	}
	if want := fmt.Sprintf("%d %x", size, sum(seed, size)); got.String() != want {
		return fmt.Errorf("upload of %d bytes: server got %q, want %q", size, &got, want)
	}
	return nil
}

func sum(seed string, size int64) []byte {
	h := sha256.New()
	io.Copy(h, body(seed, size)) // neither can fail
	return h.Sum(nil)
}

// works fails the test unless a small page comes through the client.
func (b *bed) works(t *testing.T, socks, host, user string) {
	t.Helper()
	ctx := deadline(t, taskTimeout)
	if err := download(ctx, viaGo, proxyURL(socks, user), b.web.url(host, "/body"), user, 10_000); err != nil {
		t.Fatal(err)
	}
}
