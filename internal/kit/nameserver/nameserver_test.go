package nameserver

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func newServer(t testing.TB) *Server {
	t.Helper()
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	r.Set("Both.test", netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"))
	r.Set("none.test")
	return r
}

func TestServer(t *testing.T) {
	r := newServer(t)
	client := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp4", r.Addr())
	}}
	addrs, err := client.LookupNetIP(t.Context(), "ip", "bOTH.test.")
	want := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	if err != nil || !slices.Equal(addrs, want) {
		t.Errorf("got %v, %v; want %v", addrs, err, want)
	}
	if got := r.Queries("both.test"); got != 2 {
		t.Errorf("%d queries, want one for A and one for AAAA", got)
	}
	for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
		if names, err := client.LookupAddr(t.Context(), addr); err != nil || !slices.Equal(names, []string{"both.test."}) {
			t.Errorf("PTR of %s: %q, %v", addr, names, err)
		}
	}
}

func query(t testing.TB, h dnsmessage.Header, name string, qtype dnsmessage.Type) []byte {
	t.Helper()
	m := dnsmessage.Message{Header: h, Questions: []dnsmessage.Question{{
		Name: dnsmessage.MustNewName(name), Type: qtype, Class: dnsmessage.ClassINET,
	}}}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnswer(t *testing.T) {
	r := newServer(t)
	for _, tt := range []struct {
		name, host string
		qtype      dnsmessage.Type
		rcode      dnsmessage.RCode
		answers    int
	}{
		{"A", "both.test.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 1},
		{"random case", "bOtH.TeSt.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 1},
		{"no such type", "both.test.", dnsmessage.TypeMX, dnsmessage.RCodeSuccess, 0},
		{"no addresses", "none.test.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 0},
		{"unknown", "example.com.", dnsmessage.TypeA, dnsmessage.RCodeNameError, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := r.answer(query(t, dnsmessage.Header{ID: 7}, tt.host, tt.qtype))
			var m dnsmessage.Message
			if err == nil {
				err = m.Unpack(raw)
			}
			if err != nil || m.ID != 7 || !m.Response || m.RCode != tt.rcode || len(m.Answers) != tt.answers || m.Questions[0].Name.String() != tt.host {
				t.Errorf("got %+v, %v", m, err)
			}
		})
	}
	for name, bad := range map[string][]byte{
		"empty":       nil,
		"header only": make([]byte, 12),
		"torn":        query(t, dnsmessage.Header{}, "both.test.", dnsmessage.TypeA)[:20],
		"response":    query(t, dnsmessage.Header{Response: true}, "both.test.", dnsmessage.TypeA),
	} {
		t.Run(name, func(t *testing.T) {
			if reply, err := r.answer(bad); err == nil {
				t.Errorf("answered with %x", reply)
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	r := newServer(f)
	f.Add(query(f, dnsmessage.Header{ID: 1}, "both.test.", dnsmessage.TypeAAAA))
	f.Add(make([]byte, 12))
	f.Fuzz(func(t *testing.T, raw []byte) {
		reply, err := r.answer(raw)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil || !m.Response {
			t.Errorf("reply %x: %v", reply, err)
		}
	})
}
