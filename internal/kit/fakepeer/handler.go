package fakepeer

import (
	"bytes"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A Handler serves one stream. It runs in a goroutine of its own, and must return once Read or Write fails.
type Handler func(s *Stream)

// exitAddr is where Accept of the handlers below says that it has connected to.
var exitAddr = netip.MustParseAddr("192.0.2.80")

// Echo sends back what it gets, until the client closes the stream.
func Echo(s *Stream) {
	s.Accept(exitAddr)
	io.Copy(s, s)
}

// Source sends what it reads from open's reader, and closes the stream.
func Source(open func() io.Reader) Handler {
	return func(s *Stream) {
		s.Accept(exitAddr)
		if _, err := io.Copy(s, open()); err == nil {
			s.End(relaymsg.EndDone)
		}
	}
}

// Sink writes what it gets to w, until the client closes the stream, and calls done if that is not nil.
func Sink(w io.Writer, done func(err error)) Handler {
	return func(s *Stream) {
		s.Accept(exitAddr)
		_, err := io.Copy(w, s)
		if done != nil {
			done(err)
		}
	}
}

// Refuse answers with END.
func Refuse(reason relaymsg.EndReason) Handler {
	return func(s *Stream) { s.End(reason) }
}

// Open opens the stream and does nothing more.
func Open(s *Stream) {
	s.Accept(exitAddr)
	s.Wait()
}

// Never gives no answer.
func Never(s *Stream) { s.Wait() }

// maxRequest bounds a directory request.
const maxRequest = 1 << 20

// directory serves one HTTP-like request: its head, and as much of a body as Content-Length says.
func directory(serve func(request string) []byte) Handler {
	if serve == nil {
		return Refuse(relaymsg.EndNotDirectory)
	}
	return func(s *Stream) {
		s.Accept(netip.Addr{})
		var request []byte
		buf := make([]byte, 4096)
		for len(request) < maxRequest && !whole(request) {
			n, err := s.Read(buf)
			if err != nil {
				return
			}
			request = append(request, buf[:n]...)
		}
		if _, err := s.Write(serve(string(request))); err == nil {
			s.End(relaymsg.EndDone)
		}
	}
}

// whole tells whether a request is complete.
func whole(request []byte) bool {
	head, body, ok := bytes.Cut(request, []byte("\r\n\r\n"))
	if !ok {
		return false
	}
	for line := range strings.SplitSeq(string(head), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Content-Length") {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			return err != nil || len(body) >= n
		}
	}
	return true
}
