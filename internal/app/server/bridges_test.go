package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/role/dirauth/admit"
	"github.com/tropea-net/tropea/internal/wire/extrainfo/extrainfotest"
	"github.com/tropea-net/tropea/internal/wire/keypin"
)

func TestBridgePassword(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, tt := range []struct {
		password, basic string
		want            bool
	}{
		{"user:secret", b64("user:secret"), true},
		{"user:secret", "user:secret", false},
		{"user:secret", b64("user:secret") + " ", false},
		{"user:secret", strings.TrimRight(b64("user:secret"), "="), false},
		{"user:secret", b64("user:secre"), false},
		{"user:secret", "", false},
		{"", "", false},
		{"", b64(""), false},
	} {
		if got := (&Bridges{Password: tt.password}).admits(tt.basic); got != tt.want {
			t.Errorf("password %q, credentials %q: %v", tt.password, tt.basic, got)
		}
	}
}

// stored puts descriptors of a relay and of a bridge where directory caches have them.
func stored(t *testing.T, files statefile.Store) (relay, bridge *extrainfotest.Relay) {
	t.Helper()
	relay, bridge = extrainfotest.New("relay"), extrainfotest.New("bridge")
	now := time.Now().UTC().Truncate(time.Second)
	text, _ := relay.Publish(now)
	text = append(dirstore.Annotate(now, netip.Addr{}), text...)
	desc, _ := bridge.Publish(now)
	text = append(append(text, dirstore.AnnotateBridge(now, netip.MustParseAddr("192.0.2.7"))...), desc...)
	if err := files.WriteWhole("cached-descriptors", text); err != nil {
		t.Fatal(err)
	}
	return relay, bridge
}

// An authority that votes knows the relays in the cache, one for bridges the bridges. A vote on bridges would publish them.
func TestLoadRelays(t *testing.T) {
	b := newBed(t, nil)
	relay, bridge := stored(t, b.files)
	for _, tt := range []struct {
		bridges *Bridges
		want    [20]byte
	}{{nil, relay.RSA}, {&Bridges{}, bridge.RSA}} {
		a := &authority{s: b.server, cfg: &Authority{Bridges: tt.bridges}, relays: admit.New(admit.Config{}, keypin.New())}
		a.loadRelays()
		var got [][20]byte
		for r := range a.relays.Routers() {
			got = append(got, r.Descriptor.RSA)
		}
		if !slices.Equal(got, [][20]byte{tt.want}) {
			t.Errorf("bridges %v: knows %x", tt.bridges != nil, got)
		}
	}
}

// request makes a request in a stream to the bed's directory, from a host of its own, and returns the answer.
func (b *bed) request(from, text string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	l, err := b.user(from).link(ctx, b)
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := circuit.CreateFast(ctx, l, circuit.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Tunnel().ConnectDir()
	if err != nil {
		b.t.Fatal(err)
	}
	defer s.Close()
	s.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(s, text); err != nil {
		b.t.Fatal(err)
	}
	answer, err := io.ReadAll(s)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(answer)
}

// A bridge authority that starts with a bridge on disk lists it, where it should.
func TestBridgeAuthority(t *testing.T) {
	var relay, bridge *extrainfotest.Relay
	b := newBed(t, func(c *Config) {
		relay, bridge = stored(t, c.Env.State)
		c.Authority = &Authority{Bridges: &Bridges{Password: "user:secret"}, TestOff: true}
	})
	var file []byte
	for end := time.Now().Add(30 * time.Second); len(file) == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		file, _ = b.files.Read(bridgesFile)
	}
	fp, _ := b.server.Identities()
	for _, want := range []string{fmt.Sprintf("\nfingerprint %X\n", fp), "\nr bridge ", "\ns Running V2Dir Valid\n"} {
		if !bytes.Contains(file, []byte(want)) || bytes.Contains(file, []byte("relay")) {
			t.Fatalf("%s without %q or with a relay:\n%s", bridgesFile, want, file)
		}
	}
	desc, _ := bridge.Publish(time.Now().UTC())
	upload := fmt.Sprintf("POST /tor/ HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s", len(desc), desc)
	right, wrong := base64.StdEncoding.EncodeToString([]byte("user:secret")), base64.StdEncoding.EncodeToString([]byte("user:Secret"))
	for i, tt := range []struct {
		request, status string
		found           bool
	}{
		{"GET /tor/networkstatus-bridges HTTP/1.0\r\nAuthorization: Basic " + right + "\r\n\r\n", "200", true},
		{"GET /tor/networkstatus-bridges.z HTTP/1.0\r\nAuthorization: Basic " + right + "\r\n\r\n", "200", true}, // C tor compresses it neither
		{"GET /tor/networkstatus-bridges HTTP/1.0\r\nAuthorization: Basic " + wrong + "\r\n\r\n", "404", false},
		{"GET /tor/networkstatus-bridges HTTP/1.0\r\n\r\n", "404", false},
		{"POST /tor/networkstatus-bridges HTTP/1.0\r\nAuthorization: Basic " + right + "\r\nContent-Length: 1\r\n\r\nx", "400", false},
		{fmt.Sprintf("GET /tor/server/fp/%X HTTP/1.0\r\n\r\n", bridge.RSA), "200", true},
		{fmt.Sprintf("GET /tor/server/fp/%X HTTP/1.0\r\n\r\n", relay.RSA), "404", false}, // no directory has loaded it
		{"GET /tor/server/all HTTP/1.0\r\n\r\n", "404", false},
		{"GET /tor/status-vote/next/authority HTTP/1.0\r\n\r\n", "404", false},
		{upload, "503", false}, // without a directory there is no place to store it
		{"POST /tor/ HTTP/1.0\r\nContent-Length: 600000\r\n\r\n" + strings.Repeat("x", 600000), "400", false},
		{"POST /tor/post/vote HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", "400", false},
	} {
		got := b.request(fmt.Sprintf("203.0.113.%d", i+1), tt.request)
		if !strings.HasPrefix(got, "HTTP/1.0 "+tt.status+" ") || strings.Contains(got, " bridge ") != tt.found {
			t.Errorf("%.60q: got %.200q, want %s", tt.request, got, tt.status)
		}
	}
	// What is on disk stays there while the bridge is known.
	sink := b.server.Mirror().Sink
	d := b.server.authority.relays.Router(bridge.RSA).Descriptor
	if !sink.HasDescriptor(d.Digest) || !sink.HasExtraInfo(d.ExtraInfo) || sink.Descriptor(d.Digest) != nil || sink.HasDescriptor([20]byte{1}) {
		t.Error("the files would lose the bridge")
	}
}
