package socksmsg

import (
	"testing"
)

// FuzzServer checks that a handshake does not depend on how its bytes arrive, that it stays within its buffer, and that
// a request which it takes can be written and read again.
func FuzzServer(f *testing.F) {
	for _, tt := range served {
		f.Add(tt.in, 1)
	}
	for _, tt := range refused {
		f.Add(tt.in, 7)
	}
	f.Fuzz(func(t *testing.T, in string, chunk int) {
		chunk = max(1, chunk)
		var whole, pieces Server
		out1, rest1, err1 := play(&whole, in, 1<<30)
		out2, rest2, err2 := play(&pieces, in, chunk)
		if out1 != out2 || rest1 != rest2 || (err1 == nil) != (err2 == nil) || whole != pieces {
			t.Fatalf("at once: %q %q %v\npieces of %d: %q %q %v", out1, rest1, err1, chunk, out2, rest2, err2)
		}
		if err1 != nil {
			return
		}
		if !whole.Done() {
			if len(rest1) >= MaxMessageLen {
				t.Fatalf("still wants more after %d bytes", len(rest1))
			}
			return
		}
		req := whole.Request()
		var b []byte
		var n int
		var err error
		var again Request
		if req.Version == Version4 {
			if b, err = appendRequest4(nil, req); err == nil {
				again, n, err = ParseRequest4(b)
			}
		} else if b, err = appendRequest5(nil, req); err == nil {
			again, n, err = ParseRequest5(b)
			again.User, again.Pass = req.User, req.Pass
		}
		if err != nil || n != len(b) || again != req {
			t.Fatalf("%+v: written as %q, read as %+v, %v", req, b, again, err)
		}
	})
}

// FuzzClient feeds a proxy's answers to a client.
func FuzzClient(f *testing.F) {
	f.Add([]byte("\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"), true, true)
	f.Add([]byte("\x05\x02\x01\x00\x05\x00\x00\x03\x03abc\x00\x00"), true, false)
	f.Add([]byte("\x00\x5A\x00\x00\x00\x00\x00\x00"), false, true)
	f.Fuzz(func(t *testing.T, in []byte, five, plain bool) {
		c := Client{Request: Request{Version: Version4, Command: Resolve, Host: "example.com"}}
		if five {
			c.Request.Version = Version5
		}
		if !plain {
			c.Request.User = "u"
		}
		if _, err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for !c.Done() {
			n, _, err := c.Step(in)
			if err != nil {
				if !c.Done() {
					t.Fatalf("goes on after %v", err)
				}
				return
			}
			if n == 0 {
				if len(in) >= MaxMessageLen {
					t.Fatalf("still wants more after %d bytes", len(in))
				}
				return
			}
			in = in[n:]
		}
		b, err := c.Reply().AppendTo(nil, c.Request.Version)
		if err != nil {
			t.Fatal(err)
		}
		if again, n, err := ParseReply(b, c.Request.Version); err != nil || n != len(b) || c.Reply().Addr.IsValid() && again != c.Reply() {
			t.Fatalf("%+v: written as %q, read as %+v, %v", c.Reply(), b, again, err)
		}
	})
}

func FuzzParseHost(f *testing.F) {
	for _, s := range []string{"example.com.", "192.0.2.1", "[2001:db8::1]", "::ffff:192.0.2.1", "a_b-c", ".", "_a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, err := ParseHost(s)
		if err != nil {
			return
		}
		if again, err := ParseHost(host); err != nil || again != host {
			t.Fatalf("%q is %q, which is %q, %v", s, host, again, err)
		}
	})
}
