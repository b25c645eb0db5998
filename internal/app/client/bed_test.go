package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/client/attach"
	"github.com/tropea-net/tropea/internal/client/bootstrap"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// The relays: the first is an authority too, the first four are guards, the last three exits. Their keys are made before
// any bubble begins, since that takes time.
var (
	ids   = fakepeer.Identities(9)
	auths = consensustest.Authorities(1)
)

const (
	numGuards = 4
	firstExit = 6
)

func relayAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{100, byte(i + 128), 0, 1}), 9001)
}

// network is a whole network in memory: each relay plays the others on circuits that begin with it.
type network struct {
	net    *memnet.Net
	host   *memnet.Host // of the client
	hosts  []*memnet.Host
	relays []*fakepeer.Relay

	mu       sync.Mutex // guards the fields below
	requests map[string]int
	mds      map[string][]byte // by the name in requests
}

func newNetwork(t *testing.T) *network {
	n := &network{net: memnet.New(memnet.Link{Latency: 20 * time.Millisecond}), requests: map[string]int{}, mds: map[string][]byte{}}
	n.host = n.net.Host("client", netip.MustParseAddr("192.0.2.1"))
	for i := range ids {
		host := n.net.Host(fmt.Sprintf("relay%d", i), relayAddr(i).Addr())
		r := fakepeer.New(t, fakepeer.Config{Identity: ids[i], Others: slices.Delete(slices.Clone(ids), i, i+1), Dir: n.serve, Hooks: fakepeer.Hooks{Message: meets}})
		l, err := host.Listen(t.Context(), "tcp", relayAddr(i).String())
		if err != nil {
			t.Fatal(err)
		}
		r.Serve(l)
		n.hosts, n.relays = append(n.hosts, host), append(n.relays, r)
	}
	return n
}

// meets lets relays be rendezvous points at which nobody is met.
func meets(_ *fakepeer.Circuit, _ int, m relaymsg.Msg) bool {
	return m.Cmd == relaymsg.CmdEstablishRendezvous
}

// consensus makes the document of this hour.
func (n *network) consensus() []byte {
	at := time.Now().UTC().Truncate(time.Hour)
	c := consensustest.New(consensustest.Options{Flavor: consensus.Microdesc, ValidAfter: at, Authorities: auths}).Consensus
	for i, id := range ids {
		ntor, ed := id.NTor(), id.Ed()
		md := fmt.Appendf(nil, "onion-key\nntor-onion-key %s\n", base64.StdEncoding.EncodeToString(ntor[:]))
		s := consensus.RouterStatus{
			ID: id.RSA(), HasBandwidth: true, Bandwidth: 1000,
			Flags: consensus.Running | consensus.Valid | consensus.Fast | consensus.Stable | consensus.V2Dir | consensus.HSDir,
		}
		s.SetNickname(fmt.Sprintf("relay%d", i))
		s.Protos, _ = consensus.NewProtos("Cons=1-2 Desc=1-4 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=1-2 Link=3-5 LinkAuth=3 Microdesc=1-3 Padding=2 Relay=2-6")
		s.Addr4, s.ORPort = relayAddr(i).Addr().As4(), relayAddr(i).Port()
		if i < numGuards {
			s.Flags |= consensus.Guard
		}
		if i >= firstExit {
			s.Flags |= consensus.Exit
			md = append(md, "p accept 1-65535\n"...)
		}
		md = fmt.Appendf(md, "id ed25519 %s\n", base64.RawStdEncoding.EncodeToString(ed[:]))
		s.Digest = sha256.Sum256(md)
		n.mds[base64.RawStdEncoding.EncodeToString(s.Digest[:])] = md
		c.Relays = append(c.Relays, s)
	}
	slices.SortFunc(c.Relays, func(a, b consensus.RouterStatus) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return consensustest.Sign(c, auths)
}

// serve answers directory requests.
func (n *network) serve(request string) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	path := strings.TrimSuffix(strings.Fields(request)[1], ".z")
	var body []byte
	switch {
	case strings.HasPrefix(path, "/tor/status-vote/current/consensus-microdesc"):
		n.requests["consensus"]++
		body = n.consensus()
	case strings.HasPrefix(path, "/tor/keys/"):
		n.requests["certificates"]++
		body = auths[0].Cert(time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0))
	case strings.HasPrefix(path, "/tor/micro/d/"):
		n.requests["microdescriptors"]++
		for name := range strings.SplitSeq(strings.TrimPrefix(path, "/tor/micro/d/"), "-") {
			body = append(body, n.mds[name]...)
		}
	default:
		return []byte("HTTP/1.0 404 Not found\r\n\r\n")
	}
	return fmt.Appendf(nil, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// asked returns the number of directory requests since the last call.
func (n *network) asked() (total int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.requests {
		total += c
	}
	clear(n.requests)
	return total
}

// bed is a client in a network, in a bubble.
type bed struct {
	*testing.T
	net   *network
	files *statefile.Mem
	cfg   client.Config

	*client.Client
	sub  *event.Sub
	stop func() error
}

func run(t *testing.T, f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(15 * time.Minute) // into the hour of the first consensus
		b := &bed{T: t, net: newNetwork(t), files: &statefile.Mem{}}
		b.cfg = client.Config{
			Env: env.Env{Net: b.net.host, Now: time.Now, Log: slog.New(failing{t}), State: b.files},
			Authorities: []trusteddirs.Authority{{
				Fingerprint: ids[0].RSA(), V3Ident: auths[0].ID(), Addr: relayAddr(0),
			}},
		}
		defer func() {
			if b.stop != nil {
				b.end()
			}
		}()
		f(b)
	})
}

// failing is a log in which nothing may be as bad as an error: panics that were contained are.
type failing struct{ t testing.TB }

func (failing) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (f failing) WithAttrs([]slog.Attr) slog.Handler         { return f }
func (f failing) WithGroup(string) slog.Handler              { return f }
func (f failing) Handle(_ context.Context, r slog.Record) error {
	f.t.Errorf("log: %s", r.Message)
	return nil
}

// start runs a new client.
func (b *bed) start() {
	b.Helper()
	c, err := client.New(b.cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Client, b.sub = c, c.Events().Subscribe(10000)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	b.stop = func() error { cancel(); return <-done }
}

// end ends the client, which must have run until now.
func (b *bed) end() {
	b.Helper()
	if err := b.stop(); !errors.Is(err, context.Canceled) {
		b.Errorf("Run: %v", err)
	}
	b.stop = nil
}

// ready waits until a circuit works, and returns how long that took.
func (b *bed) ready() time.Duration {
	b.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	for {
		s, err := event.Next[bootstrap.Status](ctx, b.sub)
		if err != nil {
			b.Fatalf("not ready: %v", err)
		}
		if s.Percent == 100 {
			return time.Since(began)
		}
	}
}

// dial opens a stream for a user.
func (b *bed) dial(user string) (*stream.Stream, error) {
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	return b.Streams().Dial(ctx, attach.Request{Host: "example.com", Port: 80, Isolation: isolation.Key{User: user}})
}

// echo sends a text through a new stream and back.
func (b *bed) echo(user string) {
	b.Helper()
	s, err := b.dial(user)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var buf [5]byte
	if _, err := s.Write([]byte("hello")); err != nil {
		b.Fatal(err)
	}
	if _, err := net.Conn(s).Read(buf[:]); err != nil || string(buf[:]) != "hello" {
		b.Errorf("%q, %v", buf, err)
	}
}

// guards returns the identities of the guards in the state file, in their order.
func (b *bed) guards() (list []string) {
	b.Helper()
	text, err := b.files.Read("state")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		for word := range strings.FieldsSeq(line) {
			if strings.HasPrefix(line, "Guard ") && strings.HasPrefix(word, "rsa_id=") {
				list = append(list, word)
			}
		}
	}
	return list
}

// linked returns which relays were ever connected to.
func (n *network) linked() (list []int) {
	for i, r := range n.relays {
		if r.Stats().Links > 0 {
			list = append(list, i)
		}
	}
	return list
}
