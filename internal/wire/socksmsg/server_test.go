package socksmsg

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// play feeds in to s in pieces of at most chunk bytes, and returns all that s says and the bytes left.
func play(s *Server, in string, chunk int) (out, rest string, err error) {
	var buf []byte
	for !s.Done() && in != "" {
		k := min(chunk, len(in))
		buf, in = append(buf, in[:k]...), in[k:]
		for !s.Done() {
			n, reply, err := s.Step(buf)
			out += string(reply)
			if err != nil {
				return out, "", err
			}
			if n == 0 {
				break
			}
			buf = buf[n:]
		}
	}
	return out, string(buf) + in, nil
}

var served = []struct {
	name, in, out, rest string
	noAuth              bool
	want                Request
}{
	{name: "SOCKS4", in: "\x04\x01\x11\x12\x02\x02\x02\x03\x00",
		want: Request{Version: 4, Command: Connect, Host: "2.2.2.3", Port: 0x1112, ByAddr: true}},
	{name: "SOCKS4 with a user and data behind", in: "\x04\x01\x11\x12\x02\x02\x02\x04me\x00GET /", rest: "GET /",
		want: Request{Version: 4, Command: Connect, Host: "2.2.2.4", Port: 0x1112, ByAddr: true, User: "me"}},
	{name: "SOCKS4a lookup without a port", in: "\x04\xF0\x00\x00\x00\x00\x00\x02me\x00torProject.org\x00",
		want: Request{Version: 4, Command: Resolve, Host: "torproject.org", User: "me"}},
	{name: "SOCKS5 without authentication", in: "\x05\x01\x00\x05\x01\x00\x03\x0Fwww.Example.com\x00\x50x",
		out: "\x05\x00", rest: "x", want: Request{Version: 5, Command: Connect, Host: "www.example.com", Port: 80}},
	{name: "SOCKS5 IPv4", in: "\x05\x01\x00\x05\x01\x00\x01\x02\x02\x02\x02\x01\x01",
		out: "\x05\x00", want: Request{Version: 5, Command: Connect, Host: "2.2.2.2", Port: 257, ByAddr: true}},
	{name: "SOCKS5 IPv6", in: "\x05\x01\x00\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01",
		out: "\x05\x00", want: Request{Version: 5, Command: Connect, Host: "2001:db8::1", Port: 257, ByAddr: true}},
	{name: "SOCKS5 address as a name", in: "\x05\x01\x00\x05\x01\x00\x03\x05[::1]\x01\x01",
		out: "\x05\x00", want: Request{Version: 5, Command: Connect, Host: "::1", Port: 257}},
	{name: "SOCKS5 user and password", in: "\x05\x02\x00\x02\x01\x02me\x03mou\x05\xF0\x00\x03\x07a.onion\x00\x00",
		out: "\x05\x02\x01\x00", want: Request{Version: 5, Command: Resolve, Host: "a.onion", User: "me", Pass: "mou"}},
	{name: "SOCKS5 empty user and password", in: "\x05\x01\x02\x01\x00\x00\x05\x01\x00\x03\x01a\x00\x01",
		out: "\x05\x02\x01\x00", want: Request{Version: 5, Command: Connect, Host: "a", Port: 1}},
	{name: "SOCKS5 no authentication preferred", noAuth: true, in: "\x05\x02\x00\x02\x05\x01\x00\x03\x01a\x00\x01",
		out: "\x05\x00", want: Request{Version: 5, Command: Connect, Host: "a", Port: 1}},
	{name: "SOCKS5 user although none was asked", in: "\x05\x01\x00\x01\x01u\x01p\x05\x01\x00\x03\x01a\x00\x01",
		out: "\x05\x00\x01\x00", want: Request{Version: 5, Command: Connect, Host: "a", Port: 1, User: "u", Pass: "p"}},
	{name: "SOCKS5 isolation mark of proposal 351", in: "\x05\x01\x02\x01\x09<torS0X>0\x03abc\x05\x01\x00\x03\x01a\x00\x01",
		out: "\x05\x02\x01\x00", want: Request{Version: 5, Command: Connect, Host: "a", Port: 1, User: "<torS0X>0", Pass: "abc"}},
	{name: "SOCKS5 user and password of full length",
		in:   "\x05\x01\x02\x01\xFF" + strings.Repeat("u", 255) + "\xFF" + strings.Repeat("p", 255) + "\x05\x01\x00\x03\x01a\x00\x01",
		out:  "\x05\x02\x01\x00",
		want: Request{Version: 5, Command: Connect, Host: "a", Port: 1, User: strings.Repeat("u", 255), Pass: strings.Repeat("p", 255)}},
	{name: "SOCKS5 reverse lookup", in: "\x05\x01\x00\x05\xF1\x00\x01\x02\x02\x02\x05\x00\x00",
		out: "\x05\x00", want: Request{Version: 5, Command: ResolvePTR, Host: "2.2.2.5", ByAddr: true}},
	{name: "SOCKS5 reverse lookup of an address as a name", in: "\x05\x01\x00\x05\xF1\x00\x03\x072.2.2.5\x00\x00",
		out: "\x05\x00", want: Request{Version: 5, Command: ResolvePTR, Host: "2.2.2.5"}},
}

// https://spec.torproject.org/socks-extensions.html
func TestServer(t *testing.T) {
	for _, tt := range served {
		t.Run(tt.name, func(t *testing.T) {
			for _, chunk := range []int{1, 3, 1 << 20} {
				s := Server{PreferNoAuth: tt.noAuth}
				out, rest, err := play(&s, tt.in, chunk)
				if err != nil || !s.Done() {
					t.Fatalf("pieces of %d: done %v, error %v", chunk, s.Done(), err)
				}
				if diff := cmp.Diff(tt.want, s.Request()); diff != "" {
					t.Errorf("pieces of %d: request differs (-want +got):\n%s", chunk, diff)
				}
				if out != tt.out || rest != tt.rest {
					t.Errorf("pieces of %d: said %q and left %q, want %q and %q", chunk, out, rest, tt.out, tt.rest)
				}
				if _, _, err := s.Step([]byte{5}); !errors.Is(err, ErrFinished) {
					t.Errorf("Step after the end: %v", err)
				}
			}
		})
	}
}

const failed5 = "\x00\x01\x00\x00\x00\x00\x00\x00"

var refused = []struct {
	name, in, out string
	want          error
}{
	{"SOCKS4 BIND", "\x04\x02\x11\x11\x02\x02\x02\x02\x00", "\x00\x5B\x00\x00\x00\x00\x00\x00", ErrCommand},
	{"SOCKS4 RESOLVE_PTR", "\x04\xF1\x11\x11\x02\x02\x02\x02\x00", "\x00\x5B\x00\x00\x00\x00\x00\x00", ErrCommand},
	{"SOCKS4 port 0", "\x04\x01\x00\x00\x02\x02\x02\x02\x00", "\x00\x5B\x00\x00\x00\x00\x00\x00", ErrPort},
	{"SOCKS4 address 0.0.0.0", "\x04\x01\x11\x11\x00\x00\x00\x00\x00", "\x00\x5B\x00\x00\x00\x00\x00\x00", ErrHost},
	{"SOCKS4a empty name", "\x04\x01\x11\x11\x00\x00\x00\x01\x00\x00", "\x00\x5B\x00\x00\x00\x00\x00\x00", ErrHost},
	{"SOCKS4a name too long", "\x04\x01\x11\x11\x00\x00\x00\x01\x00" + strings.Repeat("a", 256) + "\x00", "\x00\x5B\x00\x00\x00\x00\x00\x00", ErrHost},
	{"SOCKS4 user without an end", "\x04\x01\x11\x11\x02\x02\x02\x02" + strings.Repeat("u", 600), "\x00\x5B\x00\x00\x00\x00\x00\x00", ErrTooLong},
	{"SOCKS4a name without an end", "\x04\x01\x11\x11\x00\x00\x00\x01\x00" + strings.Repeat("a", 600), "\x00\x5B\x00\x00\x00\x00\x00\x00", ErrTooLong},
	{"SOCKS5 no method", "\x05\x00", "\x05\xFF", ErrAuthMethod},
	{"SOCKS5 GSSAPI", "\x05\x01\x01", "\x05\xFF", ErrAuthMethod},
	{"SOCKS5 password skipped", "\x05\x01\x02\x05\x01\x00", "\x05\x02\x01\x01", ErrVersion},
	{"SOCKS5 RPC object", "\x05\x01\x02\x01\x0A<torS0X>1a\x01p", "\x05\x02\x01\x01", ErrReservedRPC},
	{"SOCKS5 reserved user name", "\x05\x01\x02\x01\x08<torS0X>\x00", "\x05\x02\x01\x01", ErrReservedRPC},
	{"SOCKS5 reserved user name with more", "\x05\x01\x02\x01\x0A<torS0X>0a\x01p", "\x05\x02\x01\x01", ErrReservedRPC},
	{"SOCKS5 second password", "\x05\x01\x02\x01\x01u\x01p\x01\x01u\x01p", "\x05\x02\x01\x00\x05\x01" + failed5, ErrVersion},
	{"SOCKS5 BIND", "\x05\x01\x00\x05\x02\x00\x01\x02\x02\x02\x02\x01\x01", "\x05\x00\x05\x07" + failed5, ErrCommand},
	{"SOCKS5 UDP ASSOCIATE", "\x05\x01\x00\x05\x03\x00\x01\x02\x02\x02\x02\x01\x01", "\x05\x00\x05\x07" + failed5, ErrCommand},
	{"SOCKS5 version 4 within", "\x05\x01\x00\x04\x01\x00\x01\x02\x02\x02\x02\x01\x01", "\x05\x00\x05\x01" + failed5, ErrVersion},
	{"SOCKS5 reserved byte", "\x05\x01\x00\x05\x01\x01\x01\x02\x02\x02\x02\x01\x01", "\x05\x00\x05\x01" + failed5, ErrReserved},
	{"SOCKS5 address type 2", "\x05\x01\x00\x05\x01\x00\x02\x02\x02\x02\x02\x01\x01", "\x05\x00\x05\x08" + failed5, ErrAddrType},
	{"SOCKS5 port 0", "\x05\x01\x00\x05\x01\x00\x01\x02\x02\x02\x02\x00\x00", "\x05\x00\x05\x01" + failed5, ErrPort},
	{"SOCKS5 empty name", "\x05\x01\x00\x05\x01\x00\x03\x00\x01\x01", "\x05\x00\x05\x01" + failed5, ErrHost},
	{"SOCKS5 name with a zero byte", "\x05\x01\x00\x05\x01\x00\x03\x03a\x00b\x01\x01", "\x05\x00\x05\x01" + failed5, ErrHost},
	{"SOCKS5 reverse lookup of a name", "\x05\x01\x00\x05\xF1\x00\x03\x01a\x01\x01", "\x05\x00\x05\x08" + failed5, ErrAddrType},
	{"GET", "GET / HTTP/1.1\r\n", "", ErrHTTP},
	{"HEAD", "HEAD / HTTP/1.1\r\n", "", ErrHTTP},
	{"POST", "POST / HTTP/1.1\r\n", "", ErrHTTP},
	{"CONNECT", "CONNECT a:1 HTTP/1.1\r\n", "", ErrHTTP},
	{"password first", "\x01\x01u\x01p", "", ErrVersion},
	{"TLS", "\x16\x03\x01", "", ErrVersion},
	{"zero", "\x00", "", ErrVersion},
}

func TestServerRefuses(t *testing.T) {
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			for _, chunk := range []int{1, 1 << 20} {
				var s Server
				out, _, err := play(&s, tt.in, chunk)
				if !errors.Is(err, tt.want) {
					t.Errorf("pieces of %d: error %v, want %v", chunk, err, tt.want)
				}
				if out != tt.out {
					t.Errorf("pieces of %d: said %q, want %q", chunk, out, tt.out)
				}
				if !s.Done() {
					t.Errorf("pieces of %d: the handshake goes on after an error", chunk)
				}
			}
		})
	}
}

func TestParseHost(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"name", "Example.COM", "example.com"},
		{"root", "example.com.", "example.com."},
		{"underscore within", "a_b.example", "a_b.example"},
		{"numeric label", "1.2.3.4.5", "1.2.3.4.5"},
		{"IPv4", "192.0.2.1", "192.0.2.1"},
		{"IPv6 in brackets", "[2001:DB8::0:1]", "2001:db8::1"},
		{"label begins with a hyphen", "a.-b", ""},
		{"label begins with an underscore", "_a.b", ""},
		{"empty label", "a..b", ""},
		{"only a dot", ".", ""},
		{"two dots at the end", "a..", ""},
		{"space", "a b", ""},
		{"not ASCII", "bücher.example", ""},
		{"slash", "a/b", ""},
		{"IPv6 with a zone", "fe80::1%eth0", ""},
		{"name in brackets", "[a]", ""},
		{"half a bracket", "[::1", ""},
		{"empty", "", ""},
		{"too long", strings.Repeat("a.", 127) + "aa", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseHost(tt.in)
			if got != tt.want || (err == nil) != (tt.want != "") || err != nil && !errors.Is(err, ErrHost) {
				t.Errorf("ParseHost(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
			}
		})
	}
}
