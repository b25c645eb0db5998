package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/compress"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/vote/votetest"
)

// inspectRun runs the verb.
func inspectRun(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = run(t.Context(), append([]string{"tropea", "inspect"}, args...), strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// directory makes the files of a data directory with a vote, and serves them as a DirPort does.
func directory(t *testing.T) (dir, host string) {
	t.Helper()
	dir = t.TempDir()
	votes := votetest.Make(2, 20, 3)
	var certs []byte
	for _, a := range consensustest.Authorities(3) {
		certs = append(certs, a.Cert(time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))...)
	}
	n := consensustest.New(consensustest.Options{Relays: 20, Authorities: consensustest.Authorities(3)})
	first := certs[:bytes.LastIndex(certs[:len(certs)/2], []byte("dir-key-certificate-version"))]
	files := map[string][]byte{
		"one": first,
		"a":   votetest.Sign(votes[0]), "b": votetest.Sign(votes[1]), "cached-certs": certs,
		"consensus": bytes.Replace(n.Doc, []byte("bandwidth-weights"), []byte("bandwidth-unknown"), 1),
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	deflated, err := compress.Encode(compress.Deflate, n.Doc, compress.Fast)
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string][]byte{
		"/tor/keys/all": certs, "/tor/status-vote/current/authority": files["a"],
		"/tor/status-vote/current/consensus-microdesc": n.Doc, "/tor/status-vote/current/consensus-microdesc.z": deflated,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, ok := paths[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(b)
	}))
	t.Cleanup(srv.Close)
	return dir, strings.TrimPrefix(srv.URL, "http://")
}

func TestInspect(t *testing.T) {
	dir, host := directory(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	vote, err := os.ReadFile(in("a"))
	if err != nil {
		t.Fatal(err)
	}
	const path = "/tor/status-vote/current/consensus-microdesc"
	for _, tt := range []struct {
		name  string
		stdin string
		args  []string
		code  int
		out   string // a part of either output
	}{
		{"file", "", []string{in("a")}, 0, "ok  directory-signature  by the signing key\n"},
		{"standard input", string(vote), []string{"-"}, 0, "ok  directory-signature  by the signing key\n"},
		{"several", "", []string{in("a"), in("b")}, 0, in("b") + ":\nvote\n"},
		{"certificates beside it", "", []string{in("consensus")}, 1, "BAD signatures         0 of 3 voters"},
		{"vote by name", "", []string{"--from", host, "vote"}, 0, "ok  directory-signature  by the signing key\n"},
		{"consensus by name", "", []string{"consensus-microdesc", "--from", host}, 1, "ok  signatures         3 of 3 voters, 2 are needed\n"},
		{"consensus by path", "", []string{"--from", host, path}, 1, "3 of 3 voters"},
		{"consensus by URL", "", []string{"http://" + host + path}, 1, "3 of 3 voters"},
		{"compressed", "", []string{"http://" + host + path + ".z"}, 1, "3 of 3 voters"},
		{"certificates of a file", "", []string{"--certs", in("one"), "http://" + host + path}, 1, "?   signatures         1 of 3 voters"},
		{"difference", "", []string{"--diff", in("a"), in("b")}, 0, "relays in both 20, of these identical "},
		{"difference of one", "", []string{"--diff", in("a")}, 2, "--diff takes two documents\n"},
		{"difference of many", "", []string{"--diff", in("a"), in("cached-certs")}, 1, "it has 3"},
		{"no such path", "", []string{"--from", host, "/tor/nothing"}, 1, `the directory says "404 Not Found"`},
		{"no such name", "", []string{"--from", host, "gossip"}, 1, `no document is called "gossip"`},
		{"no such file", "", []string{in("c")}, 1, "no such file"},
		{"no document", "hello\n", []string{"-"}, 1, `begins with "hello": not a directory document`},
		{"help", "", []string{"--help"}, 0, "usage: tropea inspect"},
		{"nothing", "", nil, 2, "nothing to inspect"},
		{"unknown flag", "", []string{"--gossip"}, 2, "not defined: -gossip"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := inspectRun(t, tt.stdin, tt.args...)
			if code != tt.code || !strings.Contains(stdout+stderr, tt.out) {
				t.Errorf("code %d, want %d and %q, got\n%s%s", code, tt.code, tt.out, stdout, stderr)
			}
		})
	}
}

func TestInspectJSON(t *testing.T) {
	dir, _ := directory(t)
	_, stdout, _ := inspectRun(t, "", "--json", filepath.Join(dir, "cached-certs"))
	dec := json.NewDecoder(strings.NewReader(stdout))
	for i := range 3 {
		var got struct {
			Source   string
			Document struct {
				Kind  string
				Line  int
				Sound bool
			}
		}
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Source != filepath.Join(dir, "cached-certs") || got.Document.Kind != "authority certificate" || !got.Document.Sound {
			t.Errorf("document %d: got %+v", i, got)
		}
	}
	_, stdout, _ = inspectRun(t, "", "--json", "--diff", filepath.Join(dir, "a"), filepath.Join(dir, "b"))
	var got map[string]any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || fmt.Sprint(got["relays-in-both"]) == "0" {
		t.Errorf("got %v, %v", got, err)
	}
}
