package relaymsg

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const beginSpec = "https://spec.torproject.org/tor-spec/opening-streams.html"

// text is s in hexadecimal.
func text(s string) string { return hex.EncodeToString([]byte(s)) }

var beginTable = wiretest.Table[Begin]{
	Spec:   beginSpec,
	Parse:  ParseBegin,
	Append: Begin.AppendTo,
	Good: []wiretest.Good[Begin]{
		{Name: "IPv4, from C tor", Hex: "3132372e302e302e313a3730303300", Msg: Begin{"127.0.0.1:7003", 0}},
		{Name: "flags", Hex: "7777772e786b63642e636f6d3a34343300 00000003", Msg: Begin{"www.xkcd.com:443", 3}},
		{Name: "IPv6", Hex: "5b323030313a6462383a3a315d3a323200", Msg: Begin{"[2001:db8::1]:22", 0}},
		{Name: "onion service", Hex: text(":80\x00"), Msg: Begin{":80", 0}},
		{Name: "upper case", Hex: text("EXAMPLE.com:80\x00"), Msg: Begin{"EXAMPLE.com:80", 0}},
		{Name: "reserved flags", Hex: text("a:1\x00\xff\xff\xff\xf8"), Msg: Begin{"a:1", 0xfffffff8}},
		{Name: "flags zero", Hex: text("a:1\x00\x00\x00\x00\x00"), Canonical: text("a:1\x00"), Msg: Begin{"a:1", 0}},
		{Name: "three bytes of flags", Hex: text("a:1\x00\x00\x00\x01"), Canonical: text("a:1\x00"), Msg: Begin{"a:1", 0}},
		{Name: "bytes at the end", Hex: text("a:1\x00\x00\x00\x00\x01\xff"), Canonical: text("a:1\x00\x00\x00\x00\x01"), Msg: Begin{"a:1", 1}},
		{Name: "highest port", Hex: text("a:65535\x00"), Msg: Begin{"a:65535", 0}},
		{Name: "leading zeros", Hex: text("a:00080\x00"), Msg: Begin{"a:00080", 0}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "no NUL", Hex: text("127.0.0.1:80"), Err: ErrTruncated},
		{Name: "no port", Hex: text("example.com\x00"), Err: ErrMalformed},
		{Name: "no port after IPv6", Hex: text("[::]!\x00"), Err: ErrMalformed},
		{Name: "nothing before NUL", Hex: "00", Err: ErrMalformed},
		{Name: "empty port", Hex: text("a:\x00"), Err: ErrMalformed},
		{Name: "port 0", Hex: text("a:0\x00"), Err: ErrMalformed},
		{Name: "port 65536", Hex: text("a:65536\x00"), Err: ErrMalformed},
		{Name: "port of many digits", Hex: text("a:" + strings.Repeat("1", 400) + "\x00"), Err: ErrMalformed},
		{Name: "signed port", Hex: text("a:+80\x00"), Err: ErrMalformed},
		{Name: "port with space", Hex: text("a: 80\x00"), Err: ErrMalformed},
		{Name: "port with underscore", Hex: text("a:8_0\x00"), Err: ErrMalformed},
		{Name: "hexadecimal port", Hex: text("a:0x50\x00"), Err: ErrMalformed},
		{Name: "not ASCII", Hex: text("torproject™.org:443\x00"), Err: ErrMalformed},
		{Name: "space", Hex: text("a b:80\x00"), Err: ErrMalformed},
		{Name: "line feed", Hex: text("a\nb:80\x00"), Err: ErrMalformed},
		{Name: "delete", Hex: text("a\x7f:80\x00"), Err: ErrMalformed},
		{Name: "long name", Hex: text(strings.Repeat("a", 256) + ":80\x00"), Err: ErrTooLong},
		{Name: "IPv6 without brackets", Hex: text("2001:db8::1:22\x00"), Err: ErrMalformed},
		{Name: "IPv6 with one bracket", Hex: text("[2001:db8::1:22\x00"), Err: ErrMalformed},
		{Name: "IPv6 with the other bracket", Hex: text("2001]:22\x00"), Err: ErrMalformed},
		{Name: "IPv6 with a zone", Hex: text("[fe80::1%eth0]:22\x00"), Err: ErrMalformed},
		{Name: "IPv4 in brackets", Hex: text("[127.0.0.1]:22\x00"), Err: ErrMalformed},
		{Name: "name in brackets", Hex: text("[example.com]:22\x00"), Err: ErrMalformed},
		{Name: "empty brackets", Hex: text("[]:22\x00"), Err: ErrMalformed},
	},
	Refused: []wiretest.Refused[Begin]{
		{Name: "no address", Msg: Begin{}, Err: ErrMalformed},
		{Name: "NUL in the address", Msg: Begin{Addr: "a\x00b:80"}, Err: ErrMalformed},
	},
}

func TestBegin(t *testing.T) { beginTable.Test(t) }
func FuzzBegin(f *testing.F) { beginTable.Fuzz(f) }

func TestNewBegin(t *testing.T) {
	for _, c := range []struct {
		host string
		port uint16
		want string
		err  error
	}{
		{"www.Example.COM", 443, "www.example.com:443", nil},
		{"192.0.2.1", 80, "192.0.2.1:80", nil},
		{"2001:DB8::1", 80, "[2001:db8::1]:80", nil},
		{"[2001:db8::1]", 80, "[2001:db8::1]:80", nil},
		{"", 80, ":80", nil},
		{"example.com", 0, "", ErrMalformed},
		{"www.torproject™.org", 443, "", ErrMalformed},
		{"fe80::1%eth0", 80, "", ErrMalformed},
		{"a:80", 80, "", ErrMalformed},
		{strings.Repeat("a", 256), 80, "", ErrTooLong},
	} {
		got, err := NewBegin(c.host, c.port, 0)
		if got.Addr != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q port %d: got %q, %v\nwant %q, %v\nsee %s", c.host, c.port, got.Addr, err, c.want, c.err, beginSpec)
		}
	}
}

func TestHostPort(t *testing.T) {
	for addr, want := range map[string]string{
		"example.com:80":   "example.com",
		"[2001:db8::1]:80": "2001:db8::1",
		":80":              "",
	} {
		host, port, err := Begin{Addr: addr}.HostPort()
		if host != want || port != 80 || err != nil {
			t.Errorf("%s: got %q, %d, %v\nwant %q, 80\nsee %s", addr, host, port, err, want, beginSpec)
		}
	}
}
