package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/app/inspect"
	"github.com/tropea-net/tropea/internal/lib/compress"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// documents are the names that --from knows.
//
// https://spec.torproject.org/dir-spec/general-use-http-urls.html
var documents = []struct{ name, path string }{
	{"consensus", "/tor/status-vote/current/consensus"},
	{"consensus-microdesc", "/tor/status-vote/current/consensus-microdesc"},
	{"vote", "/tor/status-vote/current/authority"},
	{"next-vote", "/tor/status-vote/next/authority"},
	{"next-consensus", "/tor/status-vote/next/consensus"},
	{"signatures", "/tor/status-vote/next/consensus-signatures"},
	{"bandwidth", "/tor/status-vote/next/bandwidth"},
	{"certs", "/tor/keys/all"},
	{"descriptors", "/tor/server/all"},
	{"own-descriptor", "/tor/server/authority"},
	{"extra-info", "/tor/extra/all"},
}

func documentNames() (names []string) {
	for _, d := range documents {
		names = append(names, d.name)
	}
	return names
}

func documentPath(name string) (string, error) {
	if strings.HasPrefix(name, dirhttp.PathUpload) {
		return name, nil
	}
	for _, d := range documents {
		if d.name == name {
			return d.path, nil
		}
	}
	return "", fmt.Errorf("no document is called %q; known are %s", name, strings.Join(documentNames(), ", "))
}

// Bounds of a request: of its time, and of the head of the answer in bytes.
const (
	inspectTimeout = 2 * time.Minute
	maxAnswerHead  = dirhttp.MaxHead
)

// fetch gets a document of a directory, and what it takes to check it.
func (v *inspector) fetch(host, path string) ([]byte, error) {
	data, err := fetchDocument(v.ctx, host, path)
	if err != nil {
		return nil, err
	}
	if strings.Contains(path, "/status-vote/") && v.certs == "" {
		v.also(host, "/tor/keys/all", v.in.AddCerts)
	}
	if inspect.NeedsRouters(data) {
		v.also(host, "/tor/server/all", v.in.AddRouters)
	}
	return data, nil
}

// also gets something once.
func (v *inspector) also(host, path string, add func([]byte)) {
	if v.asked[host+path] {
		return
	}
	v.asked[host+path] = true
	data, err := fetchDocument(v.ctx, host, path)
	if err != nil {
		fmt.Fprintln(v.stderr, safelog.RevealText(err))
		return
	}
	add(data)
}

// fetchDocument asks a DirPort.
func fetchDocument(ctx context.Context, host, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	url := "http://" + host + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header["User-Agent"] = nil
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxAnswerHead}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: the directory says %q", url, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxInput+1))
	if err == nil && len(data) > maxInput {
		err = fmt.Errorf("longer than %d bytes", maxInput)
	}
	// A path that ends in .z is answered compressed, whatever the headers say.
	if method, ok := compress.Detect(data); err == nil && ok {
		data, err = compress.Decode(method, data, compress.Limits{MaxOutput: maxInput})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return data, nil
}
