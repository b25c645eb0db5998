package interop_test

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/role/relay"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// An ourRelay is a relay of ours, put together by hand, in a network of C tor: a guard, a relay in the middle, and a
// directory cache.
type ourRelay struct {
	cache       *dircache.Cache
	served      atomic.Int64 // directory requests
	links       *link.Registry
	addr        netip.AddrPort
	descriptor  []byte
	fingerprint string
}

// newOurRelay starts a relay with new keys.
func newOurRelay(t *testing.T) *ourRelay {
	t.Helper()
	now := time.Now()
	_, master, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	keys, err := torcert.NewLinkKeys(master, now)
	must(t, err)
	tlsKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	tapKey, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	auth, authKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	onion, err := x25519.Generate(rand.Reader)
	must(t, err)
	cert, responder, err := keys.Responder(rand.Reader, &tlsKey.PublicKey, now, 7*24*time.Hour)
	must(t, err)
	initiator, err := keys.Initiator(rand.Reader, [32]byte(auth), now)
	must(t, err)
	rsaID := x509.MarshalPKCS1PublicKey(&keys.RSA.PublicKey)
	creds := &link.Credentials{
		RSA256: sha256.Sum256(rsaID), Ed: *keys.IDCert.SignedWith,
		TLS:       &tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: tlsKey},
		Responder: responder, Initiator: initiator, Auth: authKey,
	}

	l, err := netx.OS{}.Listen(t.Context(), "tcp", loopback+":0")
	must(t, err)
	m := &ourRelay{addr: l.Addr().(*net.TCPAddr).AddrPort()}

	secret := onion.Secret()
	ntor, err := ecdh.X25519().NewPrivateKey(secret[:])
	must(t, err)
	m.descriptor, err = routerdesc.Make(&routerdesc.Descriptor{
		Nickname: "tropea1", OR: m.addr, Published: now, Platform: "Tor 0.4.9.11 on Linux",
		Protocols: "Cons=2 Desc=2 FlowCtrl=1-2 Link=3-5 LinkAuth=3 Microdesc=2 Padding=2 Relay=2-4",
		Bandwidth: routerdesc.Bandwidth{Rate: 1 << 30, Burst: 1 << 30, Observed: 100 << 20},
		Contact:   "testnet@example.test", DirCache: true,
	}, &routerdesc.Keys{
		Identity: keys.RSA, Signing: keys.Signing, SigningCert: keys.IDCert, Ntor: ntor, NtorLife: 28 * 24 * time.Hour, Onion: tapKey,
	})
	must(t, err)
	d, err := routerdesc.Parse(m.descriptor)
	must(t, err)
	creds.RSA, m.fingerprint = d.RSA, fmt.Sprintf("%X", d.RSA)

	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	m.cache = dircache.NewCache(dircache.CacheConfig{Env: env.Env{Now: time.Now, Log: log}})
	server := dircache.NewServer(dircache.Config{Env: env.Env{Now: time.Now, Log: log}, Note: func(e dircache.Event) {
		if e.Outcome == dircache.Served {
			m.served.Add(1)
		}
	}}, m.cache)
	r := relay.New(relay.Config{
		Directory: func(ctx context.Context, s net.Conn, by *link.Link) {
			server.Serve(ctx, s, dircache.From{Addr: by.Peer().Addr.Addr(), Stream: true, Anonymous: by.Peer().Relay})
		},
		Log: log, Ends: relay.Middle{}, MayExtend: func(netip.AddrPort) bool { return true },
		Keys: func() *relay.Keys { return &relay.Keys{RSA: d.RSA, Ed: d.Ed25519, Onion: []*x25519.KeyPair{onion}} },
	})
	m.links = link.NewRegistry(link.Config{
		Env:         env.Env{Net: netx.OS{}, Now: time.Now, Log: log},
		NewHandler:  func(l *link.Link) link.Handler { return circuit.NewRelayTable(l, log, r) },
		Credentials: func() *link.Credentials { return creds },
		OwnAddrs:    func() []netip.Addr { return []netip.Addr{m.addr.Addr()} },
		Padding:     link.DefaultPadding,
	})
	r.SetLinks(m.links)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx) })
	wg.Go(func() { m.cache.Run(ctx) })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { m.links.Accept(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		m.links.Close()
		wg.Wait()
	})
	return m
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Errorf("the relay says: %s", p)
	return len(p), nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// publish gives the descriptor to the authorities, and waits until all of them list the relay as one that clients use.
func (m *ourRelay) publish(ctx context.Context, t *testing.T, n *testnet.Network) {
	t.Helper()
	for _, node := range n.Nodes() {
		if node.Role != testnet.Authority {
			continue
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+node.DirPort+"/tor/", bytes.NewReader(m.descriptor))
		must(t, err)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s says %q to our descriptor", node.Name, resp.Status)
		}
	}
	for _, node := range n.Nodes() {
		for node.Role == testnet.Authority && !m.listed(ctx, t, node) {
			select {
			case <-ctx.Done():
				t.Fatalf("%s does not list our relay: %v", node.Name, context.Cause(ctx))
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
}

// document gets a document of an authority; none if it has it not.
func document(ctx context.Context, node *testnet.Node, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+node.DirPort+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity") // else C tor compresses in its own way
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil
	}
	return io.ReadAll(resp.Body)
}

// fill keeps the cache up to date with what an authority has, until ctx ends.
func (m *ourRelay) fill(ctx context.Context, t *testing.T, node *testnet.Node) {
	for ctx.Err() == nil {
		if err := m.update(ctx, node); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (m *ourRelay) update(ctx context.Context, node *testnet.Node) error {
	certs, err := document(ctx, node, "/tor/keys/all")
	if err != nil {
		return err
	}
	for text := range authcert.Split(certs) {
		c, err := authcert.Parse(text)
		if err != nil {
			return err
		}
		m.cache.AddCert(c)
	}
	for _, path := range []string{"/tor/status-vote/current/consensus", "/tor/status-vote/current/consensus-microdesc"} {
		text, err := document(ctx, node, path)
		if err != nil || text == nil {
			return err
		}
		c, err := consensus.Parse(text)
		if err != nil {
			return err
		}
		if c.Flavor == consensus.Microdesc {
			if err := m.updateMicrodescs(ctx, node, c); err != nil {
				return err
			}
		}
		if err := m.cache.SetConsensus(text, c); err != nil {
			return err
		}
	}
	return nil
}

func (m *ourRelay) updateMicrodescs(ctx context.Context, node *testnet.Node, c *consensus.Consensus) error {
	var names []string
	for i := range c.Relays {
		names = append(names, base64.RawStdEncoding.EncodeToString(c.Relays[i].Digest[:]))
	}
	text, err := document(ctx, node, "/tor/micro/d/"+strings.Join(names, "-"))
	if err != nil {
		return err
	}
	var entries []microdesc.Entry
	for md := range microdesc.Split(text) {
		md.LastListed = c.ValidAfter
		entries = append(entries, md)
	}
	m.cache.AddMicrodescs(entries)
	return nil
}

// listed tells whether the consensus of an authority has the relay, with the flags that C tor relays have.
func (m *ourRelay) listed(ctx context.Context, t *testing.T, node *testnet.Node) bool {
	text, err := document(ctx, node, "/tor/status-vote/current/consensus")
	must(t, err)
	_, after, ok := strings.Cut(string(text), "\nr tropea1 ")
	if !ok {
		return false
	}
	entry, _, _ := strings.Cut(after, "\nr ")
	for line := range strings.Lines(entry) {
		if flags, ok := strings.CutPrefix(line, "s "); ok {
			for _, want := range []string{"Fast", "Guard", "Running", "Stable", "V2Dir", "Valid"} {
				if !slices.Contains(strings.Fields(flags), want) {
					return false
				}
			}
			return true
		}
	}
	return false
}

// TestRelay runs a relay of ours in a network of C tor, and lets clients of both kinds go through it, in the middle and as
// their guard, which is their directory too: C tor connects to us, tests whether we can be reached, extends to us, and is
// extended to by us.
func TestRelay(t *testing.T) {
	ctor.Require(t, "tor", "tor-gencert")
	if testing.Short() {
		t.Skip("a network takes half a minute")
	}
	ctx := deadline(t, startTimeout)
	n, err := testnet.Start(ctx, testnet.Config{Authorities: 3, Relays: 2, Exits: 1, Clients: testnet.None, Bins: map[string]string{"client": build(t)}})
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	b := &bed{net: n, web: newWeb(t)}

	m := newOurRelay(t)
	m.publish(ctx, t, n)
	filling, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { m.fill(filling, t, n.Node("authority1")) })
	t.Cleanup(func() { stop(); wg.Wait() })
	host, ours, theirs := b.name("relay"), "$"+m.fingerprint, "$"+n.Node("relay1").Fingerprint
	for i, tt := range []struct{ name, bin, entry, middle string }{
		{"C tor's client, our middle", "tor", theirs, ours},
		{"our client, our middle", "", theirs, ours},
		{"C tor's client, our guard", "tor", ours, theirs},
		{"our client, our guard", "", ours, theirs},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := b.add(t, testnet.NodeConfig{Name: fmt.Sprintf("client%d", i+1), Bin: tt.bin, Torrc: []string{
				"EntryNodes " + tt.entry, "MiddleNodes " + tt.middle, "ExitNodes exit1", "StrictNodes 1", "ConfluxEnabled 0",
			}})
			proxy := proxyURL(client.SOCKS, "a:b")
			for _, size := range []int64{1, 10_000, 20 << 20} {
				if err := download(deadline(t, taskTimeout), viaCurl, proxy, b.web.url(host, "/body"), tt.name, size); err != nil {
					t.Error(err)
				}
			}
			if err := upload(deadline(t, taskTimeout), viaGo, proxy, b.web.url(host, "/sum"), tt.name, 5<<20); err != nil {
				t.Error(err)
			}
		})
	}
	// It went through us, and not past.
	m.wantLinks(t)
	if m.served.Load() == 0 {
		t.Error("no directory request was served")
	}
	warnings, err := n.ProtocolWarnings()
	must(t, err)
	for _, line := range warnings {
		if !documents.MatchString(line) {
			t.Error("protocol warning: ", line)
		}
	}
}

// wantLinks checks that there are links with other relays, accepted ones and our own, and circuits on them.
func (m *ourRelay) wantLinks(t *testing.T) {
	t.Helper()
	var accepted, initiated, circuits int
	for _, l := range m.links.Links() {
		switch {
		case !l.Peer().Relay:
		case l.Initiated():
			initiated++
		default:
			accepted++
		}
		circuits += l.Circuits()
	}
	if accepted == 0 || initiated == 0 || circuits == 0 {
		t.Errorf("%d accepted links with relays, %d of our own, %d circuits", accepted, initiated, circuits)
	}
}
