package onion

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sharedDirectory has a file of each kind.
func sharedDirectory(t *testing.T) *os.Root {
	t.Helper()
	outside, dir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "secret"), []byte("outside"))
	for name, text := range map[string]string{"a b.txt": "0123456789", ".hidden": "no", "sub/page.html": "<p>", ".git/config": "no"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, []byte(text))
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Log(err) // not every system has them
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestShare(t *testing.T) {
	root := sharedDirectory(t)
	for _, tt := range []struct {
		only, method, path, rng string
		code                    int
		body                    string // the whole, or part of a page
	}{
		{"", "GET", "/", "", 200, `<a href="a%20b.txt">`},
		{"", "GET", "/a%20b.txt", "", 200, "0123456789"},
		{"", "GET", "/a%20b.txt", "bytes=3-5", 206, "345"},
		{"", "HEAD", "/a%20b.txt", "", 200, ""},
		{"", "GET", "/sub/", "", 200, "page.html"},
		{"", "GET", "/sub/page.html", "", 200, "<p>"},
		{"", "GET", "/.hidden", "", 404, ""},
		{"", "GET", "/.git/config", "", 404, ""},
		{"", "GET", "/sub/../.hidden", "", 404, ""},
		{"", "GET", "/..%2f..%2fetc/passwd", "", 404, ""},
		{"", "GET", "/%00", "", 404, ""},
		{"", "GET", "/link", "", 500, ""},
		{"", "GET", "/none", "", 404, ""},
		{"", "POST", "/", "", 405, ""},
		{"", "PUT", "/new", "", 405, ""},
		{"a b.txt", "GET", "/", "", 302, ""},
		{"a b.txt", "GET", "/a%20b.txt", "", 200, "0123456789"},
		{"a b.txt", "GET", "/a%20b.txt", "bytes=8-", 206, "89"},
		{"a b.txt", "GET", "/sub/page.html", "", 404, ""},
	} {
		r := httptest.NewRequest(tt.method, "http://x.onion/", nil)
		u, err := r.URL.Parse(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		r.URL = u
		if tt.rng != "" {
			r.Header.Set("Range", tt.rng)
		}
		w := httptest.NewRecorder()
		Share(root.FS(), tt.only).ServeHTTP(w, r)
		got, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if w.Code != tt.code && !(tt.code >= 400 && w.Code >= 400) || tt.code < 300 && !strings.Contains(string(got), tt.body) {
			t.Errorf("%s %s: got %d %q, want %d %q", tt.method, tt.path, w.Code, got, tt.code, tt.body)
		}
		if strings.Contains(string(got), "hidden") || strings.Contains(string(got), ".git") || strings.Contains(string(got), "outside") || strings.Contains(string(got), "link") {
			t.Errorf("%s: told %q", tt.path, got)
		}
		if h := w.Header(); h.Get("Last-Modified") != "" || h.Get("Date") != "" || h["Date"] == nil && !isSet(h, "Date") {
			t.Errorf("%s: headers %v", tt.path, h)
		}
		if tt.code == 302 && w.Header().Get("Location") != "/a%20b.txt" {
			t.Errorf("%s: to %q", tt.path, w.Header().Get("Location"))
		}
	}
}

// isSet tells whether a header is there, if only to keep the server from setting it.
func isSet(h http.Header, key string) bool { _, ok := h[key]; return ok }
