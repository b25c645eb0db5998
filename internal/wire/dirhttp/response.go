package dirhttp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Response is the head of a response.
type Response struct {
	Status int    // such as 200
	Reason string // the server's words, not to be trusted
	Date   time.Time
	// YourAddress is what the server says that our address is.
	YourAddress netip.Addr
	Encoding    Encoding
	Length      int64 // of the body; below 0 if it ends with the connection
	Expires     time.Time
	// NotNew is set by an authority that had a descriptor much like the one uploaded.
	NotNew bool
}

// The status codes in use.
// https://spec.torproject.org/dir-spec/standards-compliance.html
const (
	StatusOK          = 200
	StatusNotModified = 304
	StatusBadRequest  = 400
	StatusNotFound    = 404
	StatusBusy        = 503
)

// ParseResponse parses a head, as returned by HeadFinder.
func ParseResponse(head []byte) (*Response, error) {
	first, h, err := cutFirstLine(head)
	if err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	version, after, _ := strings.Cut(first, " ")
	statusText, reason, _ := strings.Cut(strings.TrimLeft(after, " "), " ")
	status, err := strconv.ParseUint(statusText, 10, 16)
	if version != "HTTP/1.0" && version != "HTTP/1.1" || err != nil || status < 100 || status > 599 {
		return nil, fmt.Errorf("status line: %w", ErrSyntax)
	}
	r := &Response{
		Status:  int(status),
		Reason:  strings.TrimSpace(reason),
		Date:    parseTime(h.get("Date")),
		Expires: parseTime(h.get("Expires")),
		NotNew:  h.get("X-Descriptor-Not-New") == "Yes",
	}
	if addr, err := netip.ParseAddr(h.get("X-Your-Address-Is")); err == nil && addr.Zone() == "" {
		r.YourAddress = addr
	}
	if encoding := h.get("Content-Encoding"); encoding != "" {
		r.Encoding = ParseEncoding(encoding)
	}
	if r.Length, err = h.length(); err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	return r, nil
}

// AppendTo appends the head to dst as C tor's servers write it: a response that is not "200" consists of the status
// line and the date.
func (r *Response) AppendTo(dst []byte) ([]byte, error) {
	if r.Status < 100 || r.Status > 599 || r.Encoding >= Unknown {
		return nil, fmt.Errorf("response: %w", ErrSyntax)
	}
	list := []header{{"Date", timeText(r.Date)}}
	if r.Status == StatusOK {
		list = append(list, header{"Content-Type", "text/plain"}, header{"X-Your-Address-Is", addrText(r.YourAddress)},
			header{"Content-Encoding", r.Encoding.String()}, header{"Content-Length", lengthText(r.Length)})
		if r.Expires.IsZero() {
			list = append(list, header{"Pragma", "no-cache"})
		} else {
			list = append(list, header{"Expires", timeText(r.Expires)})
		}
		if r.NotNew {
			list = append(list, header{"X-Descriptor-Not-New", "Yes"})
		}
	}
	out, err := appendHead(dst, fmt.Sprintf("HTTP/1.0 %d %s", r.Status, r.Reason), list)
	if err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	return out, nil
}

func addrText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}
