package extrainfo_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/extrainfo/extrainfotest"
)

// TestCTorTakesOurs publishes a document at an authority of C tor, which then must give it out.
func TestCTorTakesOurs(t *testing.T) {
	if testing.Short() {
		t.Skip("runs C tor")
	}
	ctor.Require(t, "tor", "tor-gencert")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, dirPort, err := ctor.StartAuthority(ctx, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	desc, extra := extrainfotest.New("ours").Publish(time.Now().UTC().Truncate(time.Second))
	d, err := extrainfo.Parse(extra)
	if err != nil {
		t.Fatal(err)
	}
	if status, text := do(ctx, t, "POST", dirPort, "/tor/", append(desc, extra...)); status != http.StatusOK {
		t.Fatalf("upload: %d %s", status, text)
	}
	status, text := do(ctx, t, "GET", dirPort, fmt.Sprintf("/tor/extra/d/%X", d.Digest), nil)
	if status != http.StatusOK || !bytes.Equal(text, extra) {
		t.Errorf("from the authority: %d\n%s", status, text)
	}
}

func do(ctx context.Context, t *testing.T, method, addr, path string, body []byte) (status int, text []byte) {
	t.Helper()
	q, err := http.NewRequestWithContext(ctx, method, "http://"+addr+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if text, err = io.ReadAll(r.Body); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, text
}
