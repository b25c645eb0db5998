package isolation

import (
	"net/netip"
	"testing"
)

var full = Key{
	Group: SessionGroup(1), Protocol: SOCKS5, Client: netip.MustParseAddr("127.0.0.1"), User: "u", Pass: "p",
	Host: "example.com", Port: 80, Token: NewToken(),
}

// TestRules changes one thing of a stream at a time, and asks whether the two streams may share a circuit.
func TestRules(t *testing.T) {
	changes := map[string]func(*Key){
		"group":    func(k *Key) { k.Group = SessionGroup(2) },
		"protocol": func(k *Key) { k.Protocol = SOCKS4 },
		"client":   func(k *Key) { k.Client = netip.MustParseAddr("127.0.0.2") },
		"user":     func(k *Key) { k.User = "v" },
		"pass":     func(k *Key) { k.Pass = "q" },
		"host":     func(k *Key) { k.Host = "example.org" },
		"port":     func(k *Key) { k.Port = 443 },
		"token":    func(k *Key) { k.Token = NewToken() },
	}
	always := []string{"group", "token"}
	for _, tt := range []struct {
		name     string
		rules    Rules
		separate []string // beside always
	}{
		{"default", Rules{}, []string{"client", "user", "pass"}},
		{"least", Rules{NoClientAddr: true, NoSOCKSAuth: true}, nil},
		{"no client address", Rules{NoClientAddr: true}, []string{"user", "pass"}},
		{"no authentication", Rules{NoSOCKSAuth: true}, []string{"client"}},
		{"protocol", Rules{ClientProtocol: true}, []string{"client", "user", "pass", "protocol"}},
		{"destination", Rules{DestAddr: true, DestPort: true}, []string{"client", "user", "pass", "host", "port"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := map[string]bool{}
			for _, name := range append(tt.separate, always...) {
				want[name] = true
			}
			for name, change := range changes {
				other := full
				change(&other)
				if got := tt.rules.Apply(full) != tt.rules.Apply(other); got != want[name] {
					t.Errorf("streams that differ in %s are separated: %v, want %v", name, got, want[name])
				}
			}
		})
	}
}

func TestGroups(t *testing.T) {
	own := NewGroup()
	seen := map[Group]bool{{}: true}
	for _, g := range []Group{own, NewGroup(), SessionGroup(0), SessionGroup(1), SessionGroup(uint32(own.n))} {
		if seen[g] {
			t.Errorf("group %v occurs twice", g)
		}
		seen[g] = true
	}
	if first, again := SessionGroup(7), SessionGroup(7); first != again {
		t.Error("a session group differs from itself")
	}
	if first, second := NewToken(), NewToken(); first == second || first == (Token{}) {
		t.Error("tokens are not unique")
	}
}
