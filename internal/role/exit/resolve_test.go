package exit

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// resolve asks the exit.
func (w *world) resolve(c *circuit.Circuit, name string) []relaymsg.Answer {
	w.t.Helper()
	s, err := c.Tunnel().Resolve(name)
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := s.Answers(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// What RESOLVED says.
//
// https://spec.torproject.org/tor-spec/remote-hostname-lookup.html
func TestResolve(t *testing.T) {
	ip := netip.MustParseAddr
	v4 := relaymsg.Answer{Type: relaymsg.AnswerIPv4, Addr: serverIP, TTL: 60}
	v6 := relaymsg.Answer{Type: relaymsg.AnswerIPv6, Addr: serverIP6, TTL: 60}
	no := []relaymsg.Answer{{Type: relaymsg.AnswerError, TTL: 60}}
	later := []relaymsg.Answer{{Type: relaymsg.AnswerErrorTransient, TTL: 60}}
	v4only := exitpolicy.Own(exitpolicy.Config{Ending: exitpolicy.EndDefault})
	name := func(s string) []relaymsg.Answer {
		return []relaymsg.Answer{{Type: relaymsg.AnswerName, Name: s, TTL: 60}}
	}
	for _, tt := range []struct {
		name, ask string
		policy    exitpolicy.Policy
		want      []relaymsg.Answer
	}{
		{"IPv4", "example.com", nil, []relaymsg.Answer{v4}},
		{"both", "both.example.com", nil, []relaymsg.Answer{v4, v6}},
		{"both, without IPv6Exit", "both.example.com", v4only, []relaymsg.Answer{v4}},
		{"IPv6", "six.example.com", nil, []relaymsg.Answer{v6}},
		{"IPv6, without IPv6Exit", "six.example.com", v4only, no},
		{"many addresses", "many.example.com", nil, []relaymsg.Answer{v4, v6}},
		{"not there", "nowhere.example.com", nil, no},
		{"nameservers broken", "broken.example.com", nil, later},
		{"no exit", "example.com", exitpolicy.Own(exitpolicy.Config{}), no},
		{"reverse", "7.100.51.198.in-addr.arpa", nil, name("example.com")},
		{"reverse IPv6", relaymsg.ReverseName(serverIP6), nil, name("six.example.com")},
		{"reverse, none there", "8.100.51.198.in-addr.arpa", nil, no},
		{"reverse, nameservers broken", "9.100.51.198.in-addr.arpa", nil, later},
		{"reverse, a name that does not fit", "10.100.51.198.in-addr.arpa", nil, no},
		{"reverse, a name of odd bytes", "11.100.51.198.in-addr.arpa", nil, no},
		{"reverse, malformed", "1.2.3.in-addr.arpa", nil, no},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, false, func(cfg *Config) {
				if tt.policy != nil {
					cfg.Policy = tt.policy
				}
			}, func(t *testing.T, w *world) {
				w.names.is("six.example.com", serverIP6.String())
				w.names.is("many.example.com", serverIP.String(), "198.51.100.8", serverIP6.String(), "2001:db8::8")
				for addr, name := range map[string]string{
					serverIP.String(): "example.com", serverIP6.String(): "six.example.com",
					"198.51.100.10": strings.Repeat("a.", 130), "198.51.100.11": "a\x00b",
				} {
					w.names[ip(addr).String()] = func(context.Context) (resolver.Answer, []string, error) {
						return resolver.Answer{}, []string{name, "second.example.com"}, nil
					}
				}
				for _, s := range []string{"broken.example.com", "198.51.100.9"} {
					w.names.fails(s, &resolver.Error{Err: resolver.ErrTimeout})
				}
				if got := w.resolve(w.build(false, 0, 1), tt.ask); !slices.Equal(got, tt.want) {
					t.Errorf("%+v, want %+v", got, tt.want)
				}
			})
		})
	}
}

// An address is its own answer, with the real resolver, which needs no nameserver for it.
func TestResolveAddress(t *testing.T) {
	e := New(Config{Policy: open(t), Resolver: resolver.New(resolver.Config{
		Env:      env.Env{Net: memnet.New(memnet.Link{}).Host("exit"), Now: time.Now, Log: slog.New(failing{t})},
		ReadFile: func(string) ([]byte, error) { return []byte("nameserver 198.51.100.53"), nil },
	})})
	for ask, want := range map[string]relaymsg.Answer{
		"198.51.100.7":                  {Type: relaymsg.AnswerIPv4, Addr: serverIP, TTL: 60},
		"2001:db8::7":                   {Type: relaymsg.AnswerIPv6, Addr: serverIP6, TTL: 60},
		"[2001:db8::7]":                 {Type: relaymsg.AnswerIPv6, Addr: serverIP6, TTL: 60},
		"1.0.0.10.in-addr.arpa":         {Type: relaymsg.AnswerError, TTL: 60}, // private
		"example.onion":                 {Type: relaymsg.AnswerError, TTL: 60},
		"exa$mple.com":                  {Type: relaymsg.AnswerError, TTL: 60},
		strings.Repeat("a", 64):         {Type: relaymsg.AnswerError, TTL: 60},
		strings.Repeat("a.", 127) + "a": {Type: relaymsg.AnswerError, TTL: 60},
		"1.0.0.10.in-addr.arpa.com":     {Type: relaymsg.AnswerErrorTransient, TTL: 60},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		if want.Type == relaymsg.AnswerErrorTransient {
			cancel() // it would be looked up
		}
		if got := e.lookUp(ctx, ask).Answers; len(got) != 1 || got[0] != want {
			t.Errorf("%q: %+v, want %+v", ask, got, want)
		}
		cancel()
	}
}
