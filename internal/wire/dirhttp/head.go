package dirhttp

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxHead bounds a request or response head, in bytes.
const MaxHead = 50000

var endOfHead = []byte("\r\n\r\n")

// HeadFinder looks for the end of a head in data that arrives piece by piece. The zero HeadFinder is ready.
type HeadFinder struct {
	searched int // bytes known to hold no end
}

// Find returns the head in buf, up to and with the empty line, and nil if more bytes are needed. buf is all that has
// arrived, so it must begin with the same bytes at each call. The head aliases buf.
func (f *HeadFinder) Find(buf []byte) ([]byte, error) {
	if i := bytes.Index(buf[f.searched:], endOfHead); i >= 0 {
		end := f.searched + i + len(endOfHead)
		if end > MaxHead {
			return nil, ErrTooLong
		}
		return buf[:end], nil
	}
	if len(buf) >= MaxHead {
		return nil, ErrTooLong
	}
	f.searched = max(0, len(buf)-len(endOfHead)+1)
	return nil, nil
}

// cutFirstLine splits a head into its first line, without leading space, and the header lines.
func cutFirstLine(head []byte) (first string, rest headers, err error) {
	if len(head) > MaxHead {
		return "", "", ErrTooLong
	}
	first, lines, ok := strings.Cut(strings.TrimLeft(string(head), " \t\r\n"), "\n")
	if !ok {
		return "", "", fmt.Errorf("no line: %w", ErrSyntax)
	}
	return strings.TrimSuffix(first, "\r"), headers(lines), nil
}

// headers are the lines of a head behind the first.
type headers string

// get returns the value of the first header of that name, or the empty string. Lines without a colon are skipped, as C
// tor does.
func (h headers) get(name string) string {
	for line := range strings.Lines(string(h)) {
		if n, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// length returns the Content-Length, below 0 if there is none. A bogus one is an error, because both ends must agree on
// where a body ends.
func (h headers) length() (int64, error) {
	value := h.get("Content-Length")
	if value == "" {
		return -1, nil
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("Content-Length %.40q: %w", value, ErrSyntax)
	}
	return int64(n), nil
}

// timeLayout is the one form in which times are sent.
const timeLayout = "Mon, 02 Jan 2006 15:04:05 GMT"

// parseTime reads the three forms of time that HTTP/1.0 knows. A malformed time is as good as none, so it is zero.
func parseTime(value string) time.Time {
	for _, layout := range []string{timeLayout, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.Truncate(time.Second)
		}
	}
	return time.Time{}
}

// header is a header to send.
type header struct{ name, value string }

// appendHead appends the first line, the headers that have a value, and the empty line.
func appendHead(dst []byte, first string, list []header) ([]byte, error) {
	start := len(dst)
	dst = append(append(dst, first...), "\r\n"...)
	lines := 2
	for _, h := range list {
		if h.value != "" {
			dst = append(append(append(append(dst, h.name...), ": "...), h.value...), "\r\n"...)
			lines++
		}
	}
	dst = append(dst, "\r\n"...)
	if n := len(dst) - start; n > MaxHead {
		return nil, ErrTooLong
	}
	if head := dst[start:]; bytes.Count(head, []byte("\n")) != lines || bytes.Count(head, []byte("\r")) != lines {
		return nil, ErrUnsafe
	}
	return dst, nil
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

// lengthText returns a Content-Length. Below 0 stands for none.
func lengthText(n int64) string {
	if n < 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
