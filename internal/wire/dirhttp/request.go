package dirhttp

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Request is the head of a request.
type Request struct {
	Method string // "GET" or "POST"
	Path   string // with any ".z"
	Host   string // see Host

	IfModifiedSince time.Time
	// AcceptEncoding is in order of preference; without any, the path's ".z" alone decides.
	AcceptEncoding []Encoding
	// DiffFrom are SHA3-256 digests of the signed parts of consensuses that we have. They are sent with spaces between
	// them, because C tor does not understand the commas of the specification (parse_or_diff_from_header).
	// https://spec.torproject.org/dir-spec/serving-and-requesting-diffs.html
	DiffFrom [][32]byte
	// GenReason says why a relay made the descriptor that it uploads; authorities log it.
	GenReason string
	// Length of the body; below 0 for none, which only GET may have.
	Length int64
}

// Host returns the Host header that C tor sends to a directory at addr.
func Host(addr netip.AddrPort) string {
	if addr.Port() != 80 {
		return addr.String()
	}
	if addr.Addr().Is6() {
		return "[" + addr.Addr().String() + "]"
	}
	return addr.Addr().String()
}

// AppendTo appends the head to dst, with the headers in the order of C tor's directory_send_command.
func (r *Request) AppendTo(dst []byte) ([]byte, error) {
	if r.Method == "" || r.Path == "" || strings.ContainsAny(r.Method+r.Path, " \t") {
		return nil, fmt.Errorf("request line: %w", ErrUnsafe)
	}
	var from []string
	for _, d := range r.DiffFrom {
		from = append(from, strings.ToUpper(hex.EncodeToString(d[:])))
	}
	out, err := appendHead(dst, r.Method+" "+r.Path+" HTTP/1.0", []header{
		{"Host", r.Host},
		{"If-Modified-Since", timeText(r.IfModifiedSince)},
		{"Accept-Encoding", encodingsText(r.AcceptEncoding)},
		{"X-Or-Diff-From-Consensus", strings.Join(from, " ")},
		{"X-Desc-Gen-Reason", r.GenReason},
		{"Content-Length", lengthText(r.Length)},
	})
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	return out, nil
}

// Query is the head of a request as a server sees it.
type Query struct {
	Method          string
	Path            string    // without host and ".z"
	Accept          Encodings // a ".z" adds Deflate
	IfModifiedSince time.Time
	DiffFrom        [][32]byte
	GenReason       string
	ForwardedFor    string // set by a proxy in front of a DirPort; nobody vouches for it
	Basic           string // credentials by HTTP Basic, in base64: user:password
	Length          int64  // of the body; below 0 if the client did not say
}

// maxDiffFrom bounds the consensuses that a client may offer as a base. Ours offers one.
const maxDiffFrom = 64

// ParseRequest parses a head, as returned by HeadFinder.
func ParseRequest(head []byte) (*Query, error) {
	first, h, err := cutFirstLine(head)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	f := strings.Fields(first)
	if len(f) != 3 {
		return nil, fmt.Errorf("request line: %w", ErrSyntax)
	}
	if minor, ok := strings.CutPrefix(f[2], "HTTP/1."); !ok || !isNumber(minor) {
		return nil, fmt.Errorf("request version: %w", ErrSyntax)
	}
	path, zlib := strings.CutSuffix(cutHost(f[1]), ".z")
	q := &Query{
		Method:          f[0],
		Path:            path,
		Accept:          parseEncodings(h.get("Accept-Encoding")),
		IfModifiedSince: parseTime(h.get("If-Modified-Since")),
		DiffFrom:        parseDiffFrom(h.get("X-Or-Diff-From-Consensus")),
		GenReason:       h.get("X-Desc-Gen-Reason"),
		ForwardedFor:    cmp.Or(h.get("Forwarded-For"), h.get("X-Forwarded-For")),
		Basic:           parseBasic(h.get("Authorization")),
	}
	if zlib {
		q.Accept = q.Accept.With(Deflate)
	}
	if q.Length, err = h.length(); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	return q, nil
}

// parseBasic returns the credentials in an Authorization header of the scheme Basic.
func parseBasic(value string) string {
	scheme, credentials, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return ""
	}
	return strings.TrimLeft(credentials, " ")
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 31)
	return err == nil
}

// cutHost removes "http://host" before a path: HTTP proxies are sent such paths, and some pass them on.
func cutHost(url string) string {
	rest, ok := strings.CutPrefix(url, "http://")
	if !ok {
		rest, ok = strings.CutPrefix(url, "https://")
	}
	if i := strings.IndexByte(rest, '/'); ok && i >= 0 {
		return rest[i:]
	}
	return url
}

// parseDiffFrom takes commas and spaces between digests, and skips what is no digest.
func parseDiffFrom(value string) (list [][32]byte) {
	isSeparator := func(c rune) bool { return c == ',' || c == ' ' }
	for s := range strings.FieldsFuncSeq(value, isSeparator) {
		var d [32]byte
		if decodeHex(d[:], s) && len(list) < maxDiffFrom {
			list = append(list, d)
		}
	}
	return list
}

// decodeHex fills dst from s, which must be just as long.
func decodeHex(dst []byte, s string) bool {
	if len(s) != hex.EncodedLen(len(dst)) {
		return false
	}
	_, err := hex.Decode(dst, []byte(s))
	return err == nil
}
