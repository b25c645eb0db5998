package testnet

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// errMismatch is the error of a page that arrives changed.
var errMismatch = errors.New("SHA-256 does not match")

// fetched tells how a page came through the network.
type fetched struct {
	took time.Duration // from the SOCKS connection to the last byte
	sum  [sha256.Size]byte
	hops []string // nil if the client does not tell them, and to onion services
	why  error    // why there are no hops
}

// A user is a client that a page is fetched through.
type user struct {
	name, socks string
	path        func(ctx context.Context, target string) ([]string, error) // see Node.Path
}

func (node *Node) user() user { return user{node.Name, node.SOCKS, node.Path} }

// fetch gets the page at url through a client and compares it. The name goes to the client as it is, and thus to the exit.
func fetch(ctx context.Context, client user, url string, p *page) (*fetched, error) {
	transport := &http.Transport{Proxy: http.ProxyURL(&neturl.URL{Scheme: "socks5", Host: client.socks})}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	begin := time.Now()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch: %s", resp.Status)
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(resp.Body, p.size+1)); err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	f := &fetched{took: time.Since(begin)}
	h.Sum(f.sum[:0])
	if !strings.HasSuffix(req.URL.Hostname(), onionaddr.Suffix) { // nobody knows the whole way there
		// The stream is still open: the transport keeps it for the next request.
		f.hops, f.why = client.path(ctx, req.URL.Host)
	}
	if f.sum != p.sum {
		return f, fmt.Errorf("fetch: %w: got %x, want %x", errMismatch, f.sum, p.sum)
	}
	return f, nil
}

// print writes what a person wants to know of a fetch.
func (f *fetched) print(w io.Writer, size int64) {
	rate := float64(size) / (1 << 20) / f.took.Seconds()
	printStage(w, "fetch", f.took, fmt.Sprintf("%d bytes, %.2f MiB/s", size, rate))
	if f.why != nil {
		fmt.Fprintf(w, "%-12s unknown: %v\n", "path", f.why)
		return
	}
	if f.hops == nil {
		return
	}
	fmt.Fprintf(w, "%-12s %s\n", "path", strings.Join(f.hops, " "))
}
