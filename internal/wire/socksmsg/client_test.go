package socksmsg

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var addrPort = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// TestClientAgainstServer lets both sides talk, and compares what each ends up with.
func TestClientAgainstServer(t *testing.T) {
	for _, tt := range []struct {
		name  string
		req   Request
		reply Reply
	}{
		{"SOCKS4", Request{Version: 4, Command: Connect, Host: "192.0.2.1", Port: 80, ByAddr: true, User: "u"},
			Reply{Addr: netip.MustParseAddr("0.0.0.0")}},
		{"SOCKS4a lookup", Request{Version: 4, Command: Resolve, Host: "example.com"},
			Reply{Addr: netip.MustParseAddr("192.0.2.9"), Port: 7}},
		{"SOCKS4 refused", Request{Version: 4, Command: Connect, Host: "example.com", Port: 1},
			Reply{Code: GeneralFailure, Addr: netip.MustParseAddr("0.0.0.0")}},
		{"SOCKS5", Request{Version: 5, Command: Connect, Host: "example.com", Port: 80},
			Reply{Addr: netip.MustParseAddr("0.0.0.0")}},
		{"SOCKS5 user and password", Request{Version: 5, Command: Connect, Host: "::1", Port: 80, ByAddr: true, User: "u", Pass: "p"},
			Reply{Addr: netip.MustParseAddr("::")}},
		{"SOCKS5 reverse lookup", Request{Version: 5, Command: ResolvePTR, Host: "192.0.2.1", ByAddr: true},
			Reply{Name: "host.example"}},
		{"SOCKS5 refused", Request{Version: 5, Command: Connect, Host: "x.onion", Port: 80, Pass: "p"},
			Reply{Code: OnionBadAddress, Addr: netip.MustParseAddr("0.0.0.0")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, s := Client{Request: tt.req}, Server{}
			msg, err := c.Start()
			for err == nil && !c.Done() {
				var reply []byte
				n, r, serr := s.Step(msg)
				if serr != nil || n != len(msg) {
					t.Fatalf("server took %d of %q: %v", n, msg, serr)
				}
				if reply = r; s.Done() {
					if reply, err = tt.reply.AppendTo(nil, tt.req.Version); err != nil {
						t.Fatal(err)
					}
				}
				if n, _, err := c.Step(reply[:len(reply)-1]); n != 0 || err != nil {
					t.Fatalf("client took %d bytes of an incomplete message: %v", n, err)
				}
				n, msg, err = c.Step(reply)
				if n != len(reply) {
					t.Fatalf("client took %d of %q: %v", n, reply, err)
				}
			}
			if diff := cmp.Diff(tt.req, s.Request()); diff != "" {
				t.Errorf("server read (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.reply, c.Reply(), addrPort); diff != "" {
				t.Errorf("client read (-want +got):\n%s", diff)
			}
			var refusal RefusedError
			if errors.As(err, &refusal) != (tt.reply.Code != Succeeded) || refusal.Code != tt.reply.Code {
				t.Errorf("client error %v, want one of code %v", err, tt.reply.Code)
			}
			if _, _, err := c.Step([]byte{5}); !errors.Is(err, ErrFinished) {
				t.Errorf("Step after the end: %v", err)
			}
		})
	}
}

func TestClientCannotStart(t *testing.T) {
	long := strings.Repeat("a", 256)
	for _, tt := range []struct {
		name string
		req  Request
		want error
	}{
		{"no version", Request{Host: "a"}, ErrVersion},
		{"SOCKS4 password", Request{Version: 4, Host: "a", Pass: "p"}, ErrAuthMethod},
		{"SOCKS4 IPv6", Request{Version: 4, Host: "::1", ByAddr: true}, ErrAddrType},
		{"SOCKS4 address that means a name", Request{Version: 4, Host: "0.0.0.1", ByAddr: true}, ErrAddrType},
		{"SOCKS4 address that is a name", Request{Version: 4, Host: "a", ByAddr: true}, ErrHost},
		{"SOCKS4 zero byte", Request{Version: 4, Host: "a", User: "\x00"}, ErrHost},
		{"SOCKS4 too long", Request{Version: 4, Host: long, User: long}, ErrTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Client{Request: tt.req}
			if _, err := c.Start(); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestClientRefuses(t *testing.T) {
	long := strings.Repeat("a", 256)
	plain, user := Request{Version: 5, Host: "a", Port: 1}, Request{Version: 5, Host: "a", Port: 1, User: "u"}
	for _, tt := range []struct {
		name string
		req  Request
		in   []string // what the proxy says
		want error
	}{
		{"SOCKS4 reply version", Request{Version: 4, Host: "a"}, []string{"\x04\x5A\x00\x00\x00\x00\x00\x00"}, ErrVersion},
		{"method version", plain, []string{"\x04\x00"}, ErrVersion},
		{"no method", plain, []string{"\x05\xFF"}, ErrAuthMethod},
		{"method not offered", plain, []string{"\x05\x02"}, ErrAuthMethod},
		{"password dropped", user, []string{"\x05\x00"}, ErrAuthMethod},
		{"password version", user, []string{"\x05\x02", "\x05\x00"}, ErrVersion},
		{"password refused", user, []string{"\x05\x02", "\x01\x01"}, ErrRefused},
		{"password too long", Request{Version: 5, Host: "a", Pass: long}, []string{"\x05\x02"}, ErrTooLong},
		{"name too long", Request{Version: 5, Host: long}, []string{"\x05\x00"}, ErrTooLong},
		{"not an address", Request{Version: 5, Host: "a", ByAddr: true}, []string{"\x05\x00"}, ErrHost},
		{"reply version", plain, []string{"\x05\x00", "\x04\x00\x00\x01\x00\x00\x00\x00\x00\x00"}, ErrVersion},
		{"reply address type", plain, []string{"\x05\x00", "\x05\x00\x00\x02\x00\x00\x00\x00\x00\x00"}, ErrAddrType},
		{"refused", plain, []string{"\x05\x00", "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"}, ErrRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Client{Request: tt.req}
			_, err := c.Start()
			for _, in := range tt.in {
				if err != nil {
					t.Fatalf("failed early: %v", err)
				}
				_, _, err = c.Step([]byte(in))
			}
			if !errors.Is(err, tt.want) || !c.Done() {
				t.Errorf("error %v, done %v, want %v", err, c.Done(), tt.want)
			}
		})
	}
}

func TestReplyRefusesToEncode(t *testing.T) {
	for _, tt := range []struct {
		name    string
		reply   Reply
		version uint8
		want    error
	}{
		{"SOCKS4 IPv6", Reply{Addr: netip.MustParseAddr("::1")}, 4, ErrAddrType},
		{"SOCKS4 name", Reply{Name: "a"}, 4, ErrAddrType},
		{"name too long", Reply{Name: strings.Repeat("a", 256)}, 5, ErrTooLong},
		{"version", Reply{}, 6, ErrVersion},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.reply.AppendTo(nil, tt.version); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

// C tor: the extended code is replaced by stream_end_reason_to_socks5_response of the stream's end.
func TestPlain(t *testing.T) {
	for code := range 256 {
		c := ReplyCode(code)
		if p := c.Plain(); p > AddrTypeUnsupported && c != p || p >= OnionNotFound || c < OnionNotFound && p != c {
			t.Errorf("%v.Plain() = %v", c, p)
		}
		if c.String() == "" {
			t.Errorf("code %d has no name", code)
		}
	}
	if OnionRendFailed.Plain() != TTLExpired || OnionBadAddress.Plain() != GeneralFailure {
		t.Error("codes about onion services map wrongly")
	}
}
