package dircache

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// Each request and the answer that C tor gives.
//
// https://spec.torproject.org/dir-spec/general-use-http-urls.html
func TestRequests(t *testing.T) {
	b := newBed(t, Config{FrontPage: []byte("<html>A relay</html>"), Hook: func(_ context.Context, r *Request) *Reply {
		switch {
		case r.Path == "/tor/status-vote/next/authority":
			return &Reply{Docs: [][]byte{[]byte(strings.Repeat("vote\n", 100))}, Lifetime: time.Minute}
		case r.Path == "/tor/hs/3/x" && r.From.Stream:
			return &Reply{Docs: [][]byte{[]byte(strings.Repeat("hs-descriptor 3\n", 100))}, Plain: true}
		case r.Path == "/tor/hs/3/x":
			return &Reply{Status: 503, Reason: "Rejecting single hop HS v3 descriptor request"}
		}
		return nil
	}})
	b.cache.SetOwn(Own{
		Descriptor: &Document{id(0xee), id(0xef), testNow, []byte("router me\n")},
		ExtraInfo:  &Document{id(0xee), id(0xed), testNow, []byte("extra-info me\n")},
		Cert:       b.certs[0],
	})
	ns, md := b.newest(consensus.NS).Doc, b.newest(consensus.Microdesc).Doc
	micros, microTexts := microPath(b.newest(consensus.Microdesc).Microdescs[:30])
	signers := []string{hexOf(b.certs[0].Fingerprint), hexOf(b.certs[2].Fingerprint)[:6], strings.ToLower(hexOf(b.certs[4].Fingerprint))}
	stranger := strings.Repeat("00", 20)
	fp0, fp5, d0, d5 := hexOf(b.routers[0].RSA), hexOf(b.routers[5].RSA), hexOf(b.routers[0].Digest), hexOf(b.routers[5].Digest)
	x0 := hexOf(b.extras[0].Digest)
	const consensusPath, flavored = "/tor/status-vote/current/consensus", "/tor/status-vote/current/consensus-microdesc"
	allCerts := join(b.cache.certs[0].Text, b.cache.certs[1].Text, b.cache.certs[2].Text, b.cache.certs[3].Text, b.cache.certs[4].Text, b.cache.certs[5].Text)
	ims := func(t time.Time) string { return "If-Modified-Since: " + t.Format("Mon, 02 Jan 2006 15:04:05 GMT") }
	noStream := From{Addr: client.Addr}

	for _, tt := range []struct {
		name    string
		request string
		from    From // client if zero
		status  int
		reason  string // OK if empty
		enc     dirhttp.Encoding
		body    []byte // nil for any
		has     string // in the head
		hasNot  string
	}{
		{name: "consensus", request: get(consensusPath), status: 200, body: ns, has: "Vary: X-Or-Diff-From-Consensus\r\n"},
		{name: "consensus is fresh for 50 minutes", request: get(consensusPath), status: 200, has: "Expires: Thu, 01 Jan 2026 04:00:00 GMT\r\n"},
		{name: "address", request: get(consensusPath), status: 200, has: "X-Your-Address-Is: 203.0.113.7\r\n"},
		{name: "type and date", request: get(consensusPath), status: 200, has: "Date: Thu, 01 Jan 2026 03:10:00 GMT\r\nContent-Type: text/plain\r\n"},
		{name: "flavored", request: get(flavored), status: 200, body: md},
		{name: "slash behind", request: get(flavored + "/"), status: 200, body: md},
		{name: "unknown flavor is ns", request: get(consensusPath + "-nano"), status: 200, body: ns},
		{name: "zlib by suffix", request: get(consensusPath + ".z"), status: 200, enc: dirhttp.Deflate, body: ns},
		{name: "lzma preferred", request: get(flavored+".z", "Accept-Encoding: identity, gzip, deflate, x-zstd, x-tor-lzma"), status: 200, enc: dirhttp.LZMA, body: md},
		{name: "zstd next", request: get(flavored+".z", "Accept-Encoding: identity, x-zstd, deflate"), status: 200, enc: dirhttp.Zstd, body: md},
		{name: "no gzip beforehand", request: get(flavored, "Accept-Encoding: gzip"), status: 200, body: md},
		{name: "proxy style", request: get("http://example.com" + flavored), status: 200, body: md},
		{name: "lower case method", request: strings.Replace(get(flavored), "GET", "get", 1), status: 200, body: md},
		{name: "HTTP/1.1", request: strings.Replace(get(flavored), "1.0", "1.1", 1), status: 200, body: md},
		{name: "signed by all", request: get(flavored + "/" + strings.Join(signers, "+")), status: 200, body: md},
		{name: "signed by two of three", request: get(flavored + "/" + signers[0] + "+" + signers[1] + "+" + stranger), status: 200},
		{name: "signed by half", request: get(flavored + "/" + signers[0] + "+" + stranger), status: 404,
			reason: "Consensus not signed by sufficient number of requested authorities"},
		{name: "modified since before", request: get(flavored, ims(validAfter)), status: 200, body: md},
		{name: "not modified", request: get(flavored, ims(validAfter.Add(time.Second))), status: 304, reason: "Not modified"},
		{name: "bad date is none", request: get(flavored, "If-Modified-Since: tomorrow"), status: 200, body: md},
		{name: "the client has it", request: get(flavored, "X-Or-Diff-From-Consensus: "+hexOf(b.newest(consensus.Microdesc).Consensus.Digests.SHA3)), status: 304, reason: "Not modified"},
		{name: "diff from an unknown one", request: get(flavored, "X-Or-Diff-From-Consensus: "+strings.Repeat("AB", 32)), status: 200, body: md},
		{name: "only a diff from an unknown one", request: get(flavored + "/diff/" + strings.Repeat("AB", 32)), status: 404, reason: "No such diff available"},
		{name: "bad digest of a diff", request: get(flavored + "/diff/xyz"), status: 404, reason: "Couldn't parse request"},

		{name: "all keys", request: get("/tor/keys/all.z"), status: 200, enc: dirhttp.Deflate, body: allCerts},
		{name: "own key", request: get("/tor/keys/authority"), status: 200, body: b.certs[0].Text},
		{name: "newest key of an authority", request: get("/tor/keys/fp/" + hexOf(b.certs[0].Fingerprint)), status: 200, body: b.certs[1].Text},
		{name: "key by signing key", request: get("/tor/keys/sk/" + hexOf(b.certs[2].SigningFP)), status: 200, body: b.certs[2].Text},
		{name: "key by both", request: get("/tor/keys/fp-sk/" + hexOf(b.certs[2].Fingerprint) + "-" + hexOf(b.certs[2].SigningFP)), status: 200, body: b.certs[2].Text},
		{name: "key of another", request: get("/tor/keys/fp-sk/" + hexOf(b.certs[2].Fingerprint) + "-" + hexOf(b.certs[0].SigningFP)), status: 404, reason: "Not found"},
		{name: "keys lifetime", request: get("/tor/keys/all"), status: 200, has: "Expires: Thu, 01 Jan 2026 04:10:00 GMT\r\n"},
		{name: "keys not modified", request: get("/tor/keys/all", ims(testNow)), status: 304, reason: "Not modified"},
		{name: "keys of nobody", request: get("/tor/keys/fp/" + stranger), status: 404, reason: "Not found"},
		{name: "bad keys", request: get("/tor/keys/xyz"), status: 400, reason: "Bad request"},

		{name: "microdescriptors", request: get(micros), status: 200, enc: dirhttp.Deflate, body: microTexts, has: "Expires: Sat, 03 Jan 2026 03:10:00 GMT\r\n"},
		{name: "microdescriptors in zstd", request: get(micros, "Accept-Encoding: x-tor-lzma, x-zstd"), status: 200, enc: dirhttp.Zstd, body: microTexts},
		{name: "microdescriptors in gzip", request: get(strings.TrimSuffix(micros, ".z"), "Accept-Encoding: gzip"), status: 200, enc: dirhttp.Gzip, body: microTexts},
		{name: "microdescriptors plain", request: get(strings.TrimSuffix(micros, ".z")), status: 200, body: microTexts},
		{name: "unknown microdescriptor", request: get("/tor/micro/d/" + strings.Repeat("A", 43)), status: 404, reason: "Not found"},

		{name: "descriptor by digest", request: get("/tor/server/d/" + d0), status: 200, body: b.routers[0].Text, has: "Expires: Sat, 03 Jan 2026 03:10:00 GMT\r\n"},
		{name: "two descriptors", request: get("/tor/server/d/" + d5 + "+" + d0 + "+" + d0 + ".z"), status: 200, enc: dirhttp.Deflate,
			body: join(b.routers[0].Text, b.routers[5].Text), has: "Pragma: no-cache\r\n"},
		{name: "one of two is there", request: get("/tor/server/d/" + d0 + "+" + stranger), status: 200, body: b.routers[0].Text},
		{name: "descriptor by fingerprint", request: get("/tor/server/fp/" + fp0), status: 200, body: b.routers[0].Text},
		{name: "too old by fingerprint", request: get("/tor/server/fp/" + fp5), status: 404, reason: "Not found"},
		{name: "old by digest", request: get("/tor/server/d/" + d5), status: 200, body: b.routers[5].Text},
		{name: "own descriptor", request: get("/tor/server/authority.z"), status: 200, body: []byte("router me\n")},
		{name: "own descriptor by fingerprint", request: get("/tor/server/fp/" + hexOf(id(0xee))), status: 200, body: []byte("router me\n")},
		{name: "all descriptors", request: get("/tor/server/all.z"), status: 200, enc: dirhttp.Deflate, has: "Expires: Thu, 01 Jan 2026 04:10:00 GMT\r\n"},
		{name: "no digests", request: get("/tor/server/d/xx"), status: 404, reason: "Servers unavailable"},
		{name: "unknown over DirPort", request: get("/tor/server/d/" + stranger), from: noStream, status: 404, reason: "Servers unavailable"},
		{name: "no such list", request: get("/tor/server/foo"), status: 404, reason: "Not found"},
		{name: "extra-info", request: get("/tor/extra/d/" + x0), status: 200, body: b.extras[0].Text},
		{name: "extra-info by fingerprint", request: get("/tor/extra/fp/" + fp0), status: 200, body: b.extras[0].Text},
		{name: "own extra-info", request: get("/tor/extra/authority"), status: 200, body: []byte("extra-info me\n")},
		{name: "all extra-info", request: get("/tor/extra/all"), status: 200},

		{name: "front page", request: get("/"), from: noStream, status: 200, body: []byte("<html>A relay</html>"),
			has: "Content-Type: text/html\r\nX-Your-Address-Is: 203.0.113.7\r\nContent-Encoding: identity\r\n"},
		{name: "robots", request: get("/robots.txt", "Accept-Encoding: gzip"), status: 200, body: []byte("User-agent: *\r\nDisallow: /\r\n")},
		{name: "bytes.txt", request: get("/tor/bytes.txt"), status: 404, reason: "Not found"},
		{name: "vote by the hook", request: get("/tor/status-vote/next/authority.z"), status: 200, enc: dirhttp.Deflate},
		{name: "onion service descriptor by the hook", request: get("/tor/hs/3/x", "Accept-Encoding: deflate"), status: 200},
		{name: "onion service descriptor refused", request: get("/tor/hs/3/x"), from: noStream, status: 503, reason: "Rejecting single hop HS v3 descriptor request"},
		{name: "signatures", request: get("/tor/status-vote/next/consensus-signatures.z"), status: 404, reason: "Not found"},
		{name: "next consensus", request: get("/tor/status-vote/next/consensus"), status: 404, reason: "Not found"},
		{name: "short answer", request: get("/x"), status: 404, reason: "Not found", has: "HTTP/1.0 404 Not found\r\nDate: Thu, 01 Jan 2026 03:10:00 GMT\r\n\r\n"},

		{name: "anonymous", request: get(flavored), from: From{Addr: client.Addr, Stream: true, Anonymous: true}, status: 200, hasNot: "X-Your-Address-Is"},
		{name: "private address", request: get(flavored), from: From{Addr: netip.MustParseAddr("10.1.2.3")}, status: 200, hasNot: "X-Your-Address-Is"},
		{name: "mapped address", request: get(flavored), from: From{Addr: netip.MustParseAddr("::ffff:203.0.113.7")}, status: 200, has: "X-Your-Address-Is: 203.0.113.7\r\n"},
		{name: "IPv6", request: get(flavored), from: From{Addr: netip.MustParseAddr("2001:db8::1%eth0")}, status: 200, has: "X-Your-Address-Is: 2001:db8::1\r\n"},
		{name: "no address", request: get(flavored), from: From{Stream: true, Anonymous: false}, status: 200, hasNot: "X-Your-Address-Is: i"},
		{name: "proxy before a DirPort", request: get(flavored, "X-Forwarded-For: 198.51.100.1"), from: noStream, status: 200, has: "X-Your-Address-Is: 198.51.100.1\r\n"},
		{name: "proxy tells a private address", request: get(flavored, "X-Forwarded-For: 10.0.0.1"), from: noStream, status: 200, has: "X-Your-Address-Is: 203.0.113.7\r\n"},
		{name: "no proxies in streams", request: get(flavored, "X-Forwarded-For: 198.51.100.1"), status: 200, has: "X-Your-Address-Is: 203.0.113.7\r\n"},
		{name: "body of a GET", request: get(flavored, "Content-Length: 5") + "hello", status: 200, body: md},
		{name: "upload", request: "POST /tor/ HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", status: 400,
			reason: "Nonauthoritative directory does not accept posted server descriptors"},
	} {
		from := tt.from
		if from == (From{}) {
			from = client
		}
		got := b.ask(t, from, tt.request)
		if got.head == nil {
			t.Errorf("%s: no answer", tt.name)
			continue
		}
		reason := tt.reason
		if reason == "" {
			reason = "OK"
		}
		if got.head.Status != tt.status || got.head.Reason != reason || got.head.Encoding != tt.enc {
			t.Errorf("%s: got %d %q in %v, want %d %q in %v", tt.name, got.head.Status, got.head.Reason, got.head.Encoding, tt.status, reason, tt.enc)
		}
		if tt.body != nil && !bytes.Equal(got.body, tt.body) {
			t.Errorf("%s: got %d bytes %.60q, want %d bytes %.60q", tt.name, len(got.body), got.body, len(tt.body), tt.body)
		}
		if tt.status != 200 && len(got.body) != 0 {
			t.Errorf("%s: a body %q", tt.name, got.body)
		}
		if !strings.Contains(got.text, tt.has) || tt.hasNot != "" && strings.Contains(got.text, tt.hasNot) {
			t.Errorf("%s: head %q, want %q and not %q", tt.name, got.text, tt.has, tt.hasNot)
		}
	}
	for _, e := range b.events {
		if e.Status == 200 && (e.Outcome != Served || e.Sent <= e.Size) || e.Status == 304 && e.Outcome != NotModified {
			t.Errorf("event %+v", e)
		}
	}
}

// A bridge gives out its own descriptor over encrypted connections only, and never with those of others.
func TestBridge(t *testing.T) {
	b := newBed(t, Config{Bridge: true, MaxUpload: func(string, From) int { return 100 }})
	own := &Document{id(0xee), id(0xef), testNow, []byte("router bridge\n")}
	b.cache.SetOwn(Own{Descriptor: own, ExtraInfo: own, Private: true})
	open := From{Addr: client.Addr}
	for _, tt := range []struct {
		request string
		from    From
		status  int
		found   bool
	}{
		{get("/tor/server/authority.z"), client, 200, true},
		{get("/tor/server/fp/" + hexOf(own.Fingerprint)), client, 200, true},
		{get("/tor/server/d/" + hexOf(own.Digest)), client, 200, true},
		{get("/tor/server/authority.z"), open, 404, false},
		{get("/tor/server/fp/" + hexOf(own.Fingerprint)), open, 404, false},
		{get("/tor/server/d/" + hexOf(own.Digest)), open, 404, false},
		{get("/tor/server/all"), client, 200, false},
		{get("/tor/extra/authority"), client, 404, false},
		{get("/"), client, 404, false},
		{"POST /tor/ HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", client, 503, false},
	} {
		got := b.ask(t, tt.from, tt.request)
		if got.head.Status != tt.status || bytes.Contains(got.body, own.Text) != tt.found {
			t.Errorf("%q from %v: %d, %.50q", tt.request, tt.from, got.head.Status, got.body)
		}
	}
}

// Consensuses are not served for longer than a day before and after their time.
func TestNotLive(t *testing.T) {
	b := newBed(t, Config{})
	for _, tt := range []struct {
		at     time.Time
		reason string
	}{
		{validAfter.Add(-24*time.Hour - time.Second), "Consensus is too new"},
		{validAfter.Add(-24 * time.Hour), "OK"},
		{validAfter.Add(27 * time.Hour), "OK"},
		{validAfter.Add(27*time.Hour + time.Second), "Consensus is too old"},
	} {
		b.now = tt.at
		got := b.ask(t, client, get("/tor/status-vote/current/consensus"))
		if got.head.Reason != tt.reason {
			t.Errorf("at %v: got %q, want %q", tt.at, got.head.Reason, tt.reason)
		}
		if tt.at.After(validAfter.Add(time.Hour)) && tt.reason == "OK" && !strings.Contains(got.text, "Pragma: no-cache") {
			t.Errorf("at %v: head %q", tt.at, got.text)
		}
	}
}

func TestEmptyCache(t *testing.T) {
	now := testNow
	s := NewServer(Config{Env: testEnv(&now)}, NewCache(CacheConfig{Env: testEnv(&now)}))
	b := &bed{server: s}
	for path, reason := range map[string]string{
		"/tor/status-vote/current/consensus": "Not found",
		"/tor/keys/all":                      "Not found",
		"/tor/keys/authority":                "Not found",
		"/tor/server/all":                    "Servers unavailable",
		"/tor/server/authority":              "Servers unavailable",
		"/tor/extra/all":                     "Servers unavailable",
		"/":                                  "Not found",
	} {
		if got := b.ask(t, client, get(path)); got.head.Status != 404 || got.head.Reason != reason {
			t.Errorf("%s: %d %q, want 404 %q", path, got.head.Status, got.head.Reason, reason)
		}
	}
}

// fakeBridges is a bridge authority with one bridge.
type fakeBridges struct {
	*Document
	served *int
}

func (b fakeBridges) Served([20]byte) { *b.served++ }

func (b fakeBridges) ByDigest(digest [20]byte) *Document {
	if digest == b.Digest {
		return b.Document
	}
	return nil
}

func (b fakeBridges) ByFingerprint(rsa [20]byte) *Document {
	if rsa == b.Fingerprint {
		return b.Document
	}
	return nil
}

// A bridge authority gives out a bridge to who knows of it and asks over an encrypted connection, and no extra-info documents.
func TestBridges(t *testing.T) {
	bridge := fakeBridges{&Document{id(0xee), id(0xef), testNow, []byte("router bridge\n")}, new(int)}
	b := newBed(t, Config{Bridges: bridge})
	open := From{Addr: client.Addr}
	fp, digest := "/tor/server/fp/"+hexOf(bridge.Fingerprint), "/tor/server/d/"+hexOf(bridge.Digest)
	relay := b.routers[0]
	for _, tt := range []struct {
		path   string
		from   From
		age    time.Duration
		status int
		found  bool
	}{
		{fp, client, 0, 200, true},
		{fp + ".z", client, 0, 200, true},
		{digest, client, 0, 200, true},
		{fp, client, 24 * time.Hour, 200, true},
		{fp, client, 24*time.Hour + time.Second, 404, false},
		{digest, client, 25 * time.Hour, 200, true},
		{fp, open, 0, 404, false},
		{digest, open, 0, 404, false},
		{fp + "+" + hexOf(relay.RSA), client, 0, 200, true},
		{fp + "+" + hexOf(relay.RSA), open, 0, 200, false},
		{"/tor/server/all", client, 0, 200, false},
		{"/tor/server/all", open, 0, 200, false},
		{"/tor/extra/fp/" + hexOf(bridge.Fingerprint), client, 0, 404, false},
		{"/tor/extra/all", client, 0, 404, false},
		{"/tor/extra/fp/" + hexOf(relay.RSA), client, 0, 404, false},
	} {
		bridge.Published = testNow.Add(-tt.age)
		got := b.ask(t, tt.from, get(tt.path))
		if got.head.Status != tt.status || bytes.Contains(got.body, bridge.Text) != tt.found {
			t.Errorf("%s from %v, %v old: %d, %.50q", tt.path, tt.from, tt.age, got.head.Status, got.body)
		}
	}
	if *bridge.served != 4 {
		t.Errorf("served by fingerprint: %d times", *bridge.served)
	}
}
