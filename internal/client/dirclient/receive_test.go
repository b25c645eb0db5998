package dirclient

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/compress"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

const testMaxBody = 100_000

// fetchFrom receives an answer from a server that does what serve does, and then closes the stream. The client is in a
// bubble: silence costs no time.
func fetchFrom(t *testing.T, serve func(w io.Writer)) (resp *Response, stages []Stage, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() {
			serve(server)
			server.Close()
		})
		start := time.Now()
		resp, err = receive(client, time.Now, testMaxBody, func(s Stage) { stages = append(stages, s) })
		took = time.Since(start)
		client.Close()
		wg.Wait()
	})
	return resp, stages, took, err
}

// answer is a server that sends a text and closes the stream.
func answer(parts ...string) func(io.Writer) {
	return func(w io.Writer) { io.WriteString(w, strings.Join(parts, "")) }
}

func compressed(m compress.Method, text string) string {
	b, err := compress.Encode(m, []byte(text), compress.Best)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// document is of the kind that servers send.
var document = strings.Repeat("r relay AAAA BBBB 2038-01-01 00:00:00 192.0.2.1 9001 0\ns Fast Guard Running Stable V2Dir Valid\n", 300)

func head(lines ...string) string {
	return strings.Join(append([]string{"HTTP/1.0 200 OK"}, lines...), "\r\n") + "\r\n\r\n"
}

func length(body string) string { return fmt.Sprintf("Content-Length: %d", len(body)) }

func TestReceive(t *testing.T) {
	z := compressed(compress.Deflate, document)
	zstd := compressed(compress.Zstd, document)
	lzma := compressed(compress.LZMA, document)
	gz := compressed(compress.Gzip, document)
	tests := []struct {
		name  string
		serve func(io.Writer)
		want  string
		sent  int
	}{
		{"plain", answer(head(length(document)), document), document, len(document)},
		{"without length", answer("HTTP/1.0 200 OK\r\n\r\n", document), document, len(document)},
		{"empty", answer(head("Content-Length: 0")), "", 0},
		{"deflate", answer(head("Content-Encoding: deflate", length(z)), z), document, len(z)},
		{"deflate without length", answer(head("Content-Encoding: deflate"), z), document, len(z)},
		{"gzip", answer(head("Content-Encoding: gzip", length(gz)), gz), document, len(gz)},
		{"zstd", answer(head("Content-Encoding: x-zstd", length(zstd)), zstd), document, len(zstd)},
		{"lzma, which we never ask for", answer(head("Content-Encoding: x-tor-lzma", length(lzma)), lzma), document, len(lzma)},
		{"labelled as another encoding", answer(head("Content-Encoding: x-zstd", length(z)), z), document, len(z)},
		{"not labelled", answer(head(length(z)), z), document, len(z)},
		{"labelled and plain", answer(head("Content-Encoding: deflate", length("abc\n")), "abc\n"), "", 0},
		{"unknown encoding and plain", answer(head("Content-Encoding: x-new", length("abc\n")), "abc\n"), "abc\n", 4},
		{"two streams in one body", answer(head("Content-Encoding: deflate"), z, compressed(compress.Deflate, "more\n")), document + "more\n", 0},
		{"bytes behind the body", answer(head("Content-Length: 3"), "abcdef"), "abc", 3},
		{"two lengths, of which the first counts", answer(head("Content-Length: 3", "Content-Length: 4"), "abcd"), "abc", 3},
		{"HTTP/1.1", answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), "x", 1},
		{"byte by byte", func(w io.Writer) {
			for _, c := range []byte(head("Content-Encoding: deflate", length(z)) + z) {
				w.Write([]byte{c})
			}
		}, document, len(z)},
		{"slowly", func(w io.Writer) {
			io.WriteString(w, head(length("abcd")))
			for _, c := range []byte("abcd") {
				time.Sleep(stall - time.Second)
				w.Write([]byte{c})
			}
		}, "abcd", 4},
		{"as long as is allowed", answer(head("Content-Encoding: deflate"), compressed(compress.Deflate, document+strings.Repeat("x", testMaxBody-len(document)))),
			document + strings.Repeat("x", testMaxBody-len(document)), 0},
	}
	for _, tt := range tests {
		resp, stages, _, err := fetchFrom(t, tt.serve)
		if tt.name == "labelled and plain" {
			if err == nil {
				t.Errorf("%s: taken", tt.name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if string(resp.Body) != tt.want || tt.sent != 0 && resp.Sent != tt.sent {
			t.Errorf("%s: %d bytes out of %d, want %d out of %d", tt.name, len(resp.Body), resp.Sent, len(tt.want), tt.sent)
		}
		if len(stages) != 1 || stages[0] != Loading {
			t.Errorf("%s: stages %v", tt.name, stages)
		}
	}
}

// endless sends one byte for ever, as fast as they are taken.
func endless(before string, c byte) func(io.Writer) {
	return func(w io.Writer) {
		io.WriteString(w, before)
		chunk := bytes.Repeat([]byte{c}, 1000)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
}

func silence(before string) func(io.Writer) {
	return func(w io.Writer) {
		io.WriteString(w, before)
		time.Sleep(time.Hour)
	}
}

func TestReceiveBad(t *testing.T) {
	var zeros, gzeros bytes.Buffer
	zw, gw := zlib.NewWriter(&zeros), gzip.NewWriter(&gzeros)
	for range 20 {
		zw.Write(make([]byte, 1<<20))
		gw.Write(make([]byte, 1<<20))
	}
	zw.Close()
	gw.Close()
	z := compressed(compress.Deflate, document)
	tooLong := compressed(compress.Deflate, strings.Repeat(document, 5))
	tests := []struct {
		name  string
		serve func(io.Writer)
		is    error
		says  string
		took  time.Duration
	}{
		{name: "nothing", serve: answer(), is: io.ErrUnexpectedEOF, says: "head"},
		{name: "silence", serve: silence(""), is: os.ErrDeadlineExceeded, says: "head", took: stall},
		{name: "silence in the head", serve: silence("HTTP/1.0 200 O"), is: os.ErrDeadlineExceeded, says: "head", took: stall},
		{name: "silence in the body", serve: silence(head("Content-Length: 10") + "abc"), is: os.ErrDeadlineExceeded, says: "body", took: stall},
		{name: "silence at the end", serve: silence(head() + "abc"), is: os.ErrDeadlineExceeded, says: "body", took: stall},
		{name: "end in the head", serve: answer("HTTP/1.0 200 OK\r\nContent-Le"), is: io.ErrUnexpectedEOF, says: "head"},
		{name: "end in the body", serve: answer(head("Content-Length: 10"), "abc"), is: io.ErrUnexpectedEOF, says: "body"},
		{name: "not HTTP", serve: answer("SSH-2.0-OpenSSH_9.6\r\n\r\n"), says: "status line"},
		{name: "HTTP/2", serve: answer("HTTP/2 200 OK\r\n\r\n"), says: "status line"},
		{name: "endless head", serve: endless("HTTP/1.0 200 OK\r\nX: ", 'a'), is: dirhttp.ErrTooLong},
		{name: "endless head of lines", serve: endless("HTTP/1.0 200 OK\r\n", '\n'), is: dirhttp.ErrTooLong},
		{name: "endless body", serve: endless(head(), 'a'), says: "more than"},
		{name: "endless body behind a length", serve: endless(head(fmt.Sprintf("Content-Length: %d", 2*testMaxBody)), 'a'), says: "announced"},
		{name: "length of a terabyte", serve: endless(head(fmt.Sprintf("Content-Length: %d", int64(1)<<40)), 'a'), says: "Content-Length"},
		{name: "greatest length", serve: answer(head("Content-Length: 9223372036854775807")), says: "Content-Length"},
		{name: "length beyond int64", serve: answer(head("Content-Length: 9223372036854775808"))},
		{name: "negative length", serve: answer(head("Content-Length: -5"), "abc")},
		{name: "length that is no number", serve: answer(head("Content-Length: 0x10"), document)},
		{name: "bomb", serve: answer(head("Content-Encoding: deflate"), zeros.String()[:15_000])},
		{name: "bomb with length", serve: answer(head("Content-Encoding: gzip", length(gzeros.String()[:15_000])), gzeros.String()[:15_000])},
		{name: "bomb without label", serve: answer(head(), zeros.String()[:15_000])},
		{name: "too long when decoded", serve: answer(head("Content-Encoding: deflate"), tooLong)},
		{name: "compressed body that is cut", serve: answer(head("Content-Encoding: deflate"), z[:len(z)/2]), is: compress.ErrTruncated},
		{name: "junk for zstd", serve: answer(head("Content-Encoding: x-zstd"), strings.Repeat("junk", 100))},
		{name: "junk behind deflate", serve: answer(head("Content-Encoding: deflate"), z, "junk")},
	}
	for _, tt := range tests {
		resp, _, took, err := fetchFrom(t, tt.serve)
		switch {
		case err == nil:
			t.Errorf("%s: taken, %d bytes", tt.name, len(resp.Body))
		case tt.is != nil && !errors.Is(err, tt.is), !strings.Contains(err.Error(), tt.says):
			t.Errorf("%s: %v; want %v, and the words %q", tt.name, err, tt.is, tt.says)
		case took != tt.took:
			t.Errorf("%s: after %v, want %v", tt.name, took, tt.took)
		}
	}
}

func TestStatus(t *testing.T) {
	date := time.Date(2000, 1, 1, 3, 0, 0, 0, time.UTC) // bubbles begin at midnight
	for _, tt := range []struct {
		text        string
		status      int
		reason      string
		notModified bool
	}{
		{"HTTP/1.0 304 Not modified\r\n", 304, "Not modified", true},
		{"HTTP/1.0 404 Not found\r\n", 404, "Not found", false},
		{"HTTP/1.0 503 Directory busy, try again later\r\n", 503, "Directory busy, try again later", false},
		{"HTTP/1.0 302 Found\r\nLocation: http://192.0.2.1/\r\n", 302, "Found", false},
		{"HTTP/1.0 206\r\n", 206, "", false},
	} {
		_, stages, _, err := fetchFrom(t, answer(tt.text, "Date: ", date.Format("Mon, 02 Jan 2006 15:04:05 GMT"), "\r\n\r\n", "some body"))
		var s *StatusError
		if !errors.As(err, &s) || s.Status != tt.status || s.Reason != tt.reason || s.Skew != -3*time.Hour {
			t.Errorf("%q: %+v", tt.text, err)
		}
		if NotModified(err) != tt.notModified || len(stages) != 0 {
			t.Errorf("%q: not modified %v, stages %v", tt.text, NotModified(err), stages)
		}
	}
	if NotModified(nil) || NotModified(io.EOF) {
		t.Error("any error is a status")
	}
}

func FuzzReceive(f *testing.F) {
	z := compressed(compress.Deflate, "router\n")
	f.Add([]byte(head("Content-Length: 3")+"abc"), 5)
	f.Add([]byte(head("Content-Encoding: deflate", length(z))+z), 1)
	f.Add([]byte("HTTP/1.0 304 Not modified\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\n"), 100)
	f.Fuzz(func(t *testing.T, data []byte, chunk int) {
		resp, err := receive(&chunks{data, max(chunk, 1)}, time.Now, testMaxBody, func(Stage) {})
		if (resp == nil) == (err == nil) {
			t.Fatalf("%v, %v", resp, err)
		}
		if resp != nil && len(resp.Body) > testMaxBody+1024 {
			t.Fatalf("a body of %d bytes", len(resp.Body))
		}
	})
}

// chunks is a stream that comes in pieces of one length.
type chunks struct {
	rest []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.size)], c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *chunks) SetReadDeadline(time.Time) error { return nil }
