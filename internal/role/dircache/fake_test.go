package dircache

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"
	"unsafe"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// A fakeConn gives out a request and hands what is written to a function.
type fakeConn struct {
	net.Conn
	request bytes.Reader
	onWrite func(p []byte)
}

func (c *fakeConn) Read(p []byte) (int, error) { return c.request.Read(p) }
func (c *fakeConn) Write(p []byte) (int, error) {
	c.onWrite(p)
	return len(p), nil
}
func (c *fakeConn) Close() error                     { return nil }
func (c *fakeConn) SetReadDeadline(time.Time) error  { return nil }
func (c *fakeConn) SetWriteDeadline(time.Time) error { return nil }

// within reports whether p lies in the memory of doc.
func within(p, doc []byte) bool {
	a, b := uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(unsafe.Pointer(unsafe.SliceData(doc)))
	return a >= b && a+uintptr(len(p)) <= b+uintptr(len(doc))
}

// A consensus reaches the connection from where it lies, but for the piece that shares a write with the head.
func TestNoCopy(t *testing.T) {
	b := newBed(t, Config{})
	n := chain(consensus.Microdesc, 2000, 1, validAfter.Add(time.Hour))[0]
	if err := b.cache.SetConsensus(n.Doc, n.Consensus); err != nil {
		t.Fatal(err)
	}
	b.cache.Work()
	for request, e := range map[string]dirhttp.Encoding{
		get("/tor/status-vote/current/consensus-microdesc"):   dirhttp.Identity,
		get("/tor/status-vote/current/consensus-microdesc.z"): dirhttp.Deflate,
	} {
		served, _ := b.cache.view(consensus.Microdesc, nil)
		doc := served.doc.forms[e]
		direct, copied := 0, 0
		c := &fakeConn{onWrite: func(p []byte) {
			if within(p, doc) {
				direct += len(p)
			} else {
				copied += len(p)
			}
		}}
		c.request.Reset([]byte(request))
		b.server.Serve(t.Context(), c, client)
		if direct < len(doc)-bufferLen || copied > bufferLen {
			t.Errorf("%v: %d bytes of %d were written in place, %d copied", e, direct, len(doc), copied)
		}
	}
}

// The allocations must not depend on the length of the body.
//
//	go test -bench Consensus -benchmem
func BenchmarkConsensus(b *testing.B) {
	bed := newBed(b, Config{})
	n := chain(consensus.Microdesc, 9000, 1, validAfter.Add(time.Hour))[0]
	if err := bed.cache.SetConsensus(n.Doc, n.Consensus); err != nil {
		b.Fatal(err)
	}
	bed.cache.Work()
	bed.cache.Work()
	bed.server.cfg.Note = nil
	request := []byte(get("/tor/status-vote/current/consensus-microdesc.z", "Accept-Encoding: x-zstd, deflate, gzip, identity"))
	var written int
	c := &fakeConn{onWrite: func(p []byte) { written += len(p) }}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		written = 0
		c.request.Reset(request)
		bed.server.Serve(ctx, c, client)
	}
	b.SetBytes(int64(written))
}

// BenchmarkMicrodescs asks for as many as a client does at a time, compressed on demand.
func BenchmarkMicrodescs(b *testing.B) {
	bed := newBed(b, Config{})
	bed.server.cfg.Note = nil
	path, texts := microPath(bed.newest(consensus.Microdesc).Microdescs)
	for _, enc := range []string{"identity", "x-zstd", "deflate"} {
		b.Run(enc, func(b *testing.B) {
			request := []byte(get(path[:len(path)-2], "Accept-Encoding: "+enc))
			c := &fakeConn{onWrite: func([]byte) {}}
			b.ReportAllocs()
			b.SetBytes(int64(len(texts)))
			for b.Loop() {
				c.request.Reset(request)
				bed.server.Serve(context.Background(), c, client)
			}
		})
	}
}

// Whatever comes, there is no answer or one that clients can read, and nothing is left behind.
func FuzzServe(f *testing.F) {
	b := newBed(f, Config{
		FrontPage: []byte("page"),
		MaxUpload: func(string, From) int { return 1000 },
		Hook: func(_ context.Context, r *Request) *Reply {
			return &Reply{Docs: [][]byte{r.Body, []byte(r.Path)}}
		},
	})
	b.server.cfg.Note = nil
	micros, _ := microPath(b.newest(consensus.Microdesc).Microdescs[:3])
	for _, path := range []string{
		"/", "/tor/keys/all.z", micros, "/tor/server/all.z", "/tor/extra/fp/" + hexOf(b.routers[0].RSA),
		"/tor/status-vote/current/consensus-microdesc/" + hexOf(b.certs[0].Fingerprint), "/tor/status-vote/next/authority.z",
	} {
		f.Add([]byte(get(path, "Accept-Encoding: x-zstd, gzip", "If-Modified-Since: Thu, 01 Jan 2026 03:10:00 GMT")), true)
	}
	f.Add([]byte("POST /tor/ HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"), false)
	f.Add([]byte(get("/tor/status-vote/current/consensus", "X-Or-Diff-From-Consensus: "+hexOf(b.nets[consensus.NS][0].Consensus.Digests.SHA3))), false)
	f.Fuzz(func(t *testing.T, data []byte, stream bool) {
		var out bytes.Buffer
		c := &fakeConn{onWrite: func(p []byte) { out.Write(p) }}
		c.request.Reset(data)
		b.server.Serve(t.Context(), c, From{Addr: client.Addr, Stream: stream})
		parse(t, out.Bytes())
		if n := b.server.conns.Load() + b.server.answers.Load() + b.server.memory.used.Load() + int64(len(b.server.encoders.slots)); n != 0 {
			t.Fatalf("something is left: %d", n)
		}
	})
}
