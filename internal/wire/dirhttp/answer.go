package dirhttp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Answer is the head of a server's answer with a document. A [Response] is what a client reads of it.
type Answer struct {
	Date        time.Time
	Type        string     // Content-Type; empty means text/plain
	YourAddress netip.Addr // of the client as the server sees it; invalid leaves it out
	Encoding    Encoding
	Length      int64         // of the body, encoded; below 0 if it ends with the connection
	Lifetime    time.Duration // how long proxies may keep it, in whole seconds; 0 is not at all
	// VaryDiff tells proxies that the answer depends on X-Or-Diff-From-Consensus.
	VaryDiff bool
}

// AppendTo appends the head, with the headers in the order of C tor's write_http_response_header_impl. It allocates
// nothing if dst has room.
//
// https://spec.torproject.org/dir-spec/standards-compliance.html
func (a *Answer) AppendTo(dst []byte) []byte {
	dst = appendTime(append(dst, "HTTP/1.0 200 OK\r\nDate: "...), a.Date)
	dst = append(dst, "\r\nContent-Type: "...)
	if a.Type == "" {
		dst = append(dst, "text/plain"...)
	} else {
		dst = append(dst, a.Type...)
	}
	if a.YourAddress.IsValid() {
		dst = a.YourAddress.AppendTo(append(dst, "\r\nX-Your-Address-Is: "...))
	}
	dst = append(append(dst, "\r\nContent-Encoding: "...), a.Encoding.String()...)
	if a.Length >= 0 {
		dst = strconv.AppendInt(append(dst, "\r\nContent-Length: "...), a.Length, 10)
	}
	if a.Lifetime > 0 {
		dst = appendTime(append(dst, "\r\nExpires: "...), a.Date.Add(a.Lifetime))
	} else {
		dst = append(dst, "\r\nPragma: no-cache"...)
	}
	if a.VaryDiff {
		dst = append(dst, "\r\nVary: X-Or-Diff-From-Consensus"...)
	}
	return append(dst, "\r\n\r\n"...)
}

func appendTime(dst []byte, t time.Time) []byte { return t.UTC().AppendFormat(dst, timeLayout) }

// Short is an answer without a document: an error, or that an upload was taken.
type Short struct {
	Status int
	Reason string // such as "Not found"
	Date   time.Time
	NotNew bool // the uploaded descriptor is much like the one that the authority has
}

// AppendTo appends the answer, which consists of the status line and the date (write_short_http_response in C tor).
func (s *Short) AppendTo(dst []byte) ([]byte, error) {
	if s.Status < 100 || s.Status > 599 {
		return nil, fmt.Errorf("status %d: %w", s.Status, ErrSyntax)
	}
	if strings.ContainsAny(s.Reason, "\r\n\x00") {
		return nil, fmt.Errorf("reason: %w", ErrUnsafe)
	}
	dst = strconv.AppendInt(append(dst, "HTTP/1.0 "...), int64(s.Status), 10)
	dst = append(append(append(dst, ' '), s.Reason...), "\r\nDate: "...)
	dst = appendTime(dst, s.Date)
	if s.NotNew {
		dst = append(dst, "\r\nX-Descriptor-Not-New: Yes"...)
	}
	return append(dst, "\r\n\r\n"...), nil
}

// MaxLines bounds the lines of a request head. Clients send up to six headers, proxies on the way add some.
const MaxLines = 128

// CheckLines tells whether a head has no more lines than [MaxLines].
func CheckLines(head []byte) error {
	lines := 0
	for _, c := range head {
		if c == '\n' {
			lines++
		}
	}
	if lines > MaxLines {
		return fmt.Errorf("%d lines: %w", lines, ErrTooLong)
	}
	return nil
}
