// Package dirclient asks directory servers for documents, through BEGIN_DIR streams inside encrypted circuits. Only relays,
// which have nothing to hide, may ask authorities at their DirPorts, in the clear.
//
// https://spec.torproject.org/dir-spec/
package dirclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// Tunnels leads to directory servers. circmgr.Manager is one.
type Tunnels interface {
	Dir(ctx context.Context, s circmgr.DirServer) (t *circuit.Tunnel, release func(), err error)
}

// A Client sends requests. Its methods are safe for concurrent use.
type Client struct {
	Tunnels Tunnels
	Now     func() time.Time // wall clock, for the skew
	Net     netx.Network     // dials DirPorts; needed for requests that have one
}

// Response is a document and what the server said about it.
type Response struct {
	Head *dirhttp.Response
	Body []byte        // decoded
	Skew time.Duration // how far our clock is ahead of the server's Date; zero if there was none
	Sent int           // bytes of the body as they came over the network
}

// A StatusError says that a server answered, and did not give the document.
type StatusError struct {
	Status int
	Reason string        // the server's words
	Skew   time.Duration // as in Response
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("directory server answered %d %q", e.Status, e.Reason)
}

// NotModified tells whether err says that the server has nothing newer.
func NotModified(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && s.Status == dirhttp.StatusNotModified
}

// Stage is how far a request has come.
type Stage uint8

// The stages of a request.
const (
	Connecting Stage = iota // to the server
	Requesting              // the circuit is there
	Loading                 // the answer has begun
)

// Request is what to ask for.
type Request struct {
	Path string
	// DirPort, if it is valid, is where to send the request in plain HTTP, without a circuit.
	DirPort  netip.AddrPort
	DiffFrom [][32]byte  // consensuses that the answer may be a diff against
	Modified time.Time   // If-Modified-Since
	MaxBody  int         // bytes, decoded: more is an error
	Progress func(Stage) // may be nil
	// Anonymous says that the server must not know who asks: what tells programs apart is left out of the request.
	Anonymous bool
}

// stall is how long a server may send nothing before the request fails.
const stall = 60 * time.Second

// Get sends a request to s and returns the decoded answer. Every status but 200 is a *StatusError.
func (c *Client) Get(ctx context.Context, s circmgr.DirServer, req Request) (*Response, error) {
	progress := req.Progress
	if progress == nil {
		progress = func(Stage) {}
	}
	progress(Connecting)
	st, hangUp, err := c.connect(ctx, s, req.DirPort)
	if err != nil {
		return nil, err
	}
	defer hangUp()
	stop := context.AfterFunc(ctx, func() { st.Close() })
	defer stop()

	head := dirhttp.Request{
		Method: "GET", Path: req.Path, AcceptEncoding: encodings,
		IfModifiedSince: req.Modified, DiffFrom: req.DiffFrom, Length: -1,
	}
	if req.Anonymous {
		head.AcceptEncoding = nil // as C tor
	}
	switch {
	case req.DirPort.IsValid():
		head.Host = dirhttp.Host(req.DirPort)
	case len(s.Target.Addrs) > 0:
		head.Host = dirhttp.Host(s.Target.Addrs[0])
	}
	text, err := head.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	progress(Requesting)
	st.SetDeadline(time.Now().Add(stall))
	if _, err := st.Write(text); err != nil {
		return nil, cause(ctx, err)
	}
	resp, err := receive(st, c.Now, req.MaxBody, progress)
	if err != nil {
		return nil, cause(ctx, err)
	}
	return resp, nil
}

// stream is what the request is sent through: a stream of a circuit, or a TCP connection.
type stream interface {
	conn
	io.WriteCloser
	SetDeadline(time.Time) error
}

var errNoNet = errors.New("requests to DirPorts are not allowed")

// connect leads to a server. hangUp ends what it led to.
func (c *Client) connect(ctx context.Context, s circmgr.DirServer, dirPort netip.AddrPort) (st stream, hangUp func(), err error) {
	if dirPort.IsValid() {
		if c.Net == nil {
			return nil, nil, errNoNet
		}
		dialing, cancel := context.WithTimeout(ctx, stall)
		defer cancel()
		tcp, err := c.Net.Dial(dialing, "tcp", dirPort.String())
		if err != nil {
			return nil, nil, cause(ctx, &link.DialError{Addr: dirPort, Op: "connect", Err: err})
		}
		return tcp, func() { tcp.Close() }, nil
	}
	t, release, err := c.Tunnels.Dir(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	begun, err := t.PrepareDir()
	if err != nil {
		release()
		return nil, nil, err
	}
	return begun, func() { begun.Close(); release() }, nil
}

// encodings is what we ask for. LZMA is left out: C tor's servers prefer it whatever our order is, it is no smaller than
// zstd, and takes forty times as long to decode; see docs/adr/0001-no-lzma-requests.md. An answer in it is still read.
var encodings = []dirhttp.Encoding{dirhttp.Zstd, dirhttp.Deflate, dirhttp.Gzip, dirhttp.Identity}

// cause prefers the reason why ctx ended to the error of the stream that was closed for it.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// conn is what of a stream reading takes.
type conn interface {
	io.Reader
	SetReadDeadline(time.Time) error
}

// receive reads the head and the body of an answer.
func receive(st conn, clock func() time.Time, maxBody int, progress func(Stage)) (*Response, error) {
	var finder dirhttp.HeadFinder
	var buf, head []byte
	for head == nil {
		var err error
		if buf, err = more(st, buf, dirhttp.MaxHead+1); err != nil {
			return nil, fmt.Errorf("head of the directory answer: %w", unexpected(err))
		}
		if head, err = finder.Find(buf); err != nil {
			return nil, err
		}
	}
	h, err := dirhttp.ParseResponse(head)
	if err != nil {
		return nil, err
	}
	resp := &Response{Head: h}
	if !h.Date.IsZero() {
		resp.Skew = clock().Sub(h.Date).Truncate(time.Second)
	}
	if h.Status != dirhttp.StatusOK {
		return nil, &StatusError{h.Status, h.Reason, resp.Skew}
	}
	progress(Loading)
	body, err := receiveBody(st, buf[len(head):], h.Length, maxBody)
	if err != nil {
		return nil, fmt.Errorf("body of the directory answer: %w", err)
	}
	resp.Sent = len(body)
	if resp.Body, err = decode(h.Encoding, body, maxBody); err != nil {
		return nil, fmt.Errorf("body of the directory answer: %w", err)
	}
	return resp, nil
}

// receiveBody reads the rest of a body that begins with have. An encoded body is never longer than the decoded one may
// be, but for a few bytes of framing.
func receiveBody(st conn, have []byte, length int64, maxBody int) ([]byte, error) {
	limit := int64(maxBody) + 1024
	if length > limit {
		return nil, fmt.Errorf("%d bytes announced, at most %d allowed", length, limit)
	}
	body := append([]byte(nil), have...)
	for length < 0 || int64(len(body)) < length {
		var err error
		body, err = more(st, body, int(limit)+1)
		switch {
		case err == io.EOF && length < 0:
			return body, nil
		case err != nil:
			return nil, unexpected(err)
		case int64(len(body)) > limit:
			return nil, fmt.Errorf("more than %d bytes", limit)
		}
	}
	return body[:length], nil
}

// more reads once from st to the end of buf, which may grow up to max bytes.
func more(st conn, buf []byte, max int) ([]byte, error) {
	if len(buf) >= max {
		return buf, fmt.Errorf("more than %d bytes", max)
	}
	if cap(buf)-len(buf) < 4096 {
		buf = append(make([]byte, 0, min(2*cap(buf)+16<<10, max+4096)), buf...)
	}
	st.SetReadDeadline(time.Now().Add(stall))
	n, err := st.Read(buf[len(buf):cap(buf)])
	if n > 0 {
		err = nil
	}
	return buf[:len(buf)+n], err
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
