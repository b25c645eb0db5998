package admit_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// TestAnswersAsCTor uploads the same to C tor and to us, which must answer the same.
func TestAnswersAsCTor(t *testing.T) {
	if testing.Short() {
		t.Skip("runs C tor")
	}
	ctor.Require(t, "tor", "tor-gencert")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	list, approved := steps()
	dir := t.TempDir()
	if err := os.MkdirAll(ctor.DataDir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(ctor.DataDir(dir), "approved-routers"), []byte(approved), 0o600); err != nil {
		t.Fatal(err)
	}
	p, dirPort, err := ctor.StartAuthority(ctx, dir, ctor.Torrc{
		"DirAllowPrivateAddresses 0", "AuthDirReject " + rejected, "AuthDirInvalid " + invalid,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	r := stepRegistry(t, approved)
	for _, s := range list {
		if s.ours {
			continue
		}
		res := r.Upload(from, s.body, now)
		q, err := http.NewRequestWithContext(ctx, "POST", "http://"+dirPort+"/tor/", bytes.NewReader(s.body))
		if err != nil {
			t.Fatal(err)
		}
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		_, reason, _ := strings.Cut(a.Status, " ")
		notNew := a.Header.Get("X-Descriptor-Not-New") == "Yes"
		if notNew {
			reason = "" // it is "OK", then
		}
		if a.StatusCode != res.Status || reason != res.Reason || notNew != res.NotNew {
			t.Errorf("%s: C tor %d %q %v, we %d %q %v", s.name, a.StatusCode, reason, notNew, res.Status, res.Reason, res.NotNew)
		}
	}
}
