package dircache_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

type noDirectory struct{}

func (noDirectory) View() *netdir.View       { return nil }
func (noDirectory) Changed() <-chan struct{} { return nil }

// serve gives a request to a server and returns all of its answer.
func serve(s *dircache.Server, request string) []byte {
	here, there := net.Pipe()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer here.Close()
	wg.Go(func() {
		s.Serve(context.Background(), there, dircache.From{Addr: netip.MustParseAddr("203.0.113.7"), Stream: true})
	})
	wg.Go(func() { io.WriteString(here, request) })
	answer, _ := io.ReadAll(here)
	return answer
}

// Our own client gets every kind of document through a circuit.
func TestDirclient(t *testing.T) {
	peer := fakepeer.Identities(1)[0]
	addr := netip.MustParseAddrPort("192.0.2.2:9001")
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Link{Latency: 10 * time.Millisecond})
		e := env.Env{Net: network.Host("client", netip.MustParseAddr("192.0.2.1")), Now: time.Now, Log: slog.New(slog.DiscardHandler)}

		cache := dircache.NewCache(dircache.CacheConfig{Env: e})
		server := dircache.NewServer(dircache.Config{Env: e}, cache)
		n := consensustest.New(consensustest.Options{Relays: 300, Flavor: consensus.Microdesc, ValidAfter: time.Now(), Authorities: consensustest.Authorities(3)})
		if err := cache.SetConsensus(n.Doc, n.Consensus); err != nil {
			t.Fatal(err)
		}
		for cache.Work() {
		}
		cert, err := authcert.Parse(n.Authorities[0].Cert(time.Now(), time.Now().AddDate(1, 0, 0)))
		if err != nil {
			t.Fatal(err)
		}
		cache.AddCert(cert)
		d := &routerdesc.Descriptor{RSA: [20]byte{1}, Digest: [20]byte{2}, ExtraInfo: [20]byte{3}, Published: time.Now(), Text: []byte("router x\n")}
		cache.AddDescriptor(d)
		cache.AddExtraInfo(&extrainfo.Document{RSA: d.RSA, Digest: d.ExtraInfo, Published: time.Now(), Text: []byte("extra-info x\n")})
		var digests [][32]byte
		for i, text := range n.Microdescs {
			cache.AddMicrodescs([]microdesc.Entry{{Text: text}})
			digests = append(digests, n.Consensus.Relays[i].Digest)
		}

		relay := fakepeer.New(t, fakepeer.Config{Identity: peer, Dir: func(request string) []byte { return serve(server, request) }})
		l, err := network.Host("relay", addr.Addr()).Listen(t.Context(), "tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		relay.Serve(l)
		links := link.NewRegistry(link.Config{Env: e, NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, e.Log) }})
		defer links.Close()
		m := circmgr.New(circmgr.Config{Env: e, Links: links, Dir: noDirectory{}, Rand: rand.New(rand.NewPCG(1, 2))})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { m.Run(ctx) })
		defer wg.Wait()
		defer cancel()
		client := dirclient.Client{Tunnels: m, Now: time.Now}
		from := circmgr.DirServer{Target: link.Target{Addrs: []netip.AddrPort{addr}, RSA: peer.RSA(), HasRSA: true}}

		path := func(p string, err error) string {
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		for _, tt := range []struct {
			path string
			enc  dirhttp.Encoding
			want []byte // nil for as many microdescriptors as there are
		}{
			{dirhttp.ConsensusPath{Flavor: consensus.Microdesc.String(), Signers: []string{dirhttp.SignerPrefix(cert.Fingerprint)}}.String(), dirhttp.Zstd, n.Doc},
			{path(dirhttp.KeyPairPath([]dirhttp.KeyPair{{Identity: cert.Fingerprint, Signing: cert.SigningFP}})), dirhttp.Zstd, cert.Text},
			{path(dirhttp.DigestPath(dirhttp.PrefixServer, [][20]byte{d.Digest})), dirhttp.Identity, d.Text},
			{path(dirhttp.DigestPath(dirhttp.PrefixExtra, [][20]byte{d.ExtraInfo})), dirhttp.Identity, []byte("extra-info x\n")},
			{path(dirhttp.MicrodescPath(digests)), dirhttp.Zstd, nil},
		} {
			resp, err := client.Get(t.Context(), from, dirclient.Request{Path: tt.path, MaxBody: 10 << 20})
			if err != nil {
				t.Errorf("%.80s: %v", tt.path, err)
				continue
			}
			if resp.Head.Encoding != tt.enc || resp.Head.YourAddress.String() != "203.0.113.7" {
				t.Errorf("%.80s: head %+v", tt.path, resp.Head)
			}
			if tt.want == nil {
				got := 0
				for range microdesc.Split(resp.Body) {
					got++
				}
				if got != len(digests) {
					t.Errorf("%d microdescriptors, want %d", got, len(digests))
				}
			} else if !bytes.Equal(resp.Body, tt.want) {
				t.Errorf("%.80s: got %.60q", tt.path, resp.Body)
			}
		}
		_, err = client.Get(t.Context(), from, dirclient.Request{
			Path: dirhttp.ConsensusPath{Flavor: "microdesc"}.String(), DiffFrom: [][32]byte{n.Consensus.Digests.SHA3}, MaxBody: 10 << 20,
		})
		if !dirclient.NotModified(err) {
			t.Errorf("consensus that the client has: %v", err)
		}
	})
}
