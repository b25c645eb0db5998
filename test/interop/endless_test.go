package interop_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// endless is a download that would never end by itself. The client sends a byte now and then: a C tor relay that loses a link
// tells at once of the end of one circuit only, and of the others when it next has a cell to send there.
type endless struct {
	target string
	resp   *http.Response
	cancel context.CancelFunc
}

const signEvery = 100 * time.Millisecond

// startEndless begins a download through a client and returns when some of it has come.
func (b *bed) startEndless(t *testing.T, node *testnet.Node, host string) *endless {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), taskTimeout)
	t.Cleanup(cancel)
	signs, up := io.Pipe()
	context.AfterFunc(ctx, func() { up.Close() })
	go func() {
		for _, err := up.Write([]byte{0}); err == nil; _, err = up.Write([]byte{0}) {
			time.Sleep(signEvery)
		}
	}()
	resp, err := request(ctx, proxyURL(node.SOCKS, host), b.web.url(host, "/endless"), signs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, resp.Body, 300_000); err != nil {
		t.Fatal(err)
	}
	return &endless{b.web.target(host), resp, cancel}
}

// wantEnd fails the test unless the download ends with an error in time. It returns how long that took.
func (d *endless) wantEnd(t *testing.T, limit time.Duration) time.Duration {
	t.Helper()
	defer d.resp.Body.Close()
	begin := time.Now()
	timer := time.AfterFunc(limit, d.cancel)
	_, err := io.Copy(io.Discard, d.resp.Body)
	if !timer.Stop() {
		t.Fatalf("the download goes on %v later", limit)
	}
	if err == nil {
		t.Error("the download ended as if it were complete")
	}
	return time.Since(begin)
}
