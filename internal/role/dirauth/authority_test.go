package dirauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/vote"
	"github.com/tropea-net/tropea/internal/wire/vote/votetest"
)

var testTiming = Timing{Interval: time.Hour, VoteDelay: 5 * time.Minute, DistDelay: 5 * time.Minute}

// A bed is a network in memory whose authorities vote.
type bed struct {
	t     *testing.T
	net   *memnet.Net
	auths []*member
}

// A member is one of the authorities.
type member struct {
	*Authority
	host   *memnet.Host
	cancel context.CancelFunc
	ended  chan struct{}

	skew      atomic.Int64 // of the clock, a time.Duration
	mu        sync.Mutex
	keyring   *consensus.Keyring
	published map[time.Time]map[consensus.Flavor][]byte // by valid-after
	live      *consensus.Consensus
	change    func(*vote.Vote)
}

func addrOf(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i+1)) }

// newBed makes n authorities, none of which runs.
func newBed(t *testing.T, n int) *bed {
	b := &bed{t: t, net: memnet.New(memnet.Link{Latency: 50 * time.Millisecond})}
	all := consensustest.Authorities(n)
	var voters []Voter
	for i, x := range all {
		voters = append(voters, Voter{Nickname: x.Nickname, V3Ident: x.ID(), Dirs: []netip.AddrPort{netip.AddrPortFrom(addrOf(i), 80)}})
	}
	for i := range all {
		x := &all[i]
		now := time.Now()
		cert, err := authcert.Parse(x.Cert(now.AddDate(0, -1, 0), now.AddDate(1, 0, 0)))
		if err != nil {
			t.Fatal(err)
		}
		m := &member{host: b.net.Host(x.Nickname, addrOf(i)), keyring: consensustest.Keyring(all), published: map[time.Time]map[consensus.Flavor][]byte{}}
		m.Authority = New(Config{
			Env:      env.Env{Net: m.host, Now: m.now, Log: slog.New(slog.DiscardHandler), State: new(statefile.Mem)},
			Identity: x.ID(), Voters: voters, Keys: func() *Keys { return &Keys{Cert: cert, Signing: x.Signing} },
			Initial: testTiming, MinInterval: vote.MinInterval,
			Opinion:    func(_ context.Context, v *vote.Vote) error { return m.opinion(v, i) },
			Bandwidths: func() ([]byte, error) { return []byte("1700000000\n"), nil },
			Live:       m.liveConsensus, Publish: m.publishConsensus,
		})
		b.auths = append(b.auths, m)
	}
	return b
}

// opinion is about twenty relays, on which authorities disagree here and there.
func (m *member) opinion(v *vote.Vote, i int) error {
	o := votetest.Make(i+1, 20, 1)[i]
	o.Published, o.ValidAfter, o.Cert, o.Methods = v.Published, v.ValidAfter, v.Cert, v.Methods
	o.FreshUntil, o.ValidUntil, o.VoteDelay, o.DistDelay = v.ValidAfter.Add(testTiming.Interval), v.ValidAfter.Add(3*testTiming.Interval), testTiming.VoteDelay, testTiming.DistDelay
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.change != nil {
		m.change(o)
	}
	*v = *o
	return nil
}

func (m *member) now() time.Time { return time.Now().Add(time.Duration(m.skew.Load())) }

func (m *member) liveConsensus() *consensus.Consensus {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live == nil || !m.now().Before(m.live.ValidUntil) {
		return nil
	}
	return m.live
}

var errFewSignatures = errors.New("too few signatures")

func (m *member) publishConsensus(f consensus.Flavor, text []byte, _ [][]byte) error {
	c, err := consensus.Parse(text)
	if err != nil {
		return err
	}
	if v := c.Verify(m.keyring); v.Result != consensus.Good {
		return errFewSignatures
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.published[c.ValidAfter] == nil {
		m.published[c.ValidAfter] = map[consensus.Flavor][]byte{}
	}
	m.published[c.ValidAfter][f] = text
	if f == consensus.NS {
		m.live = c
	}
	return nil
}

// start runs an authority, with its DirPort.
func (b *bed) start(m *member) {
	l, err := m.host.Listen(b.t.Context(), "tcp", ":80")
	if err != nil {
		b.t.Fatal(err)
	}
	e := env.Env{Net: m.host, Now: time.Now, Log: slog.New(slog.DiscardHandler), State: new(statefile.Mem)}
	server := dircache.NewServer(dircache.Config{Env: e, Hook: m.Hook, MaxUpload: m.MaxUpload}, dircache.NewCache(dircache.CacheConfig{Env: e, Disk: e.State}))
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel, m.ended = func() { cancel(); l.Close() }, make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { m.Run(ctx) })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { server.Serve(ctx, c, dircache.From{Addr: netx.RemoteAddr(c).Addr()}) })
		}
	})
	go func() {
		wg.Wait()
		close(m.ended)
	}()
}

func (m *member) stop() {
	if m.cancel != nil {
		m.cancel()
		<-m.ended
		m.cancel = nil
	}
}

// run starts all authorities, calls f, and stops them.
func (b *bed) run(f func()) {
	for _, m := range b.auths {
		b.start(m)
	}
	f()
	for _, m := range b.auths {
		m.stop()
	}
}

// wantSame checks that authorities have published the same consensus, signed by so many, and returns it.
func (b *bed) wantSame(at time.Time, signatures int, auths ...*member) *consensus.Consensus {
	b.t.Helper()
	var first *consensus.Consensus
	for _, f := range []consensus.Flavor{consensus.NS, consensus.Microdesc} {
		var body []byte
		for _, m := range auths {
			m.mu.Lock()
			text := m.published[at][f]
			m.mu.Unlock()
			if text == nil {
				b.t.Errorf("an authority has published no %v consensus of %v", f, at)
				continue
			}
			c, err := consensus.Parse(text)
			if err != nil {
				b.t.Fatal(err)
			}
			if v := c.Verify(m.keyring); len(v.Good) != signatures {
				b.t.Errorf("%d good signatures of the %v consensus of %v, want %d", len(v.Good), f, at, signatures)
			}
			if first == nil {
				first = c
			}
			signed := consensus.SignedPart(text)
			if body == nil {
				body = signed
			}
			if !bytes.Equal(body, signed) {
				b.t.Errorf("authorities have different %v consensuses of %v", f, at)
			}
		}
	}
	return first
}

// hour is the n-th full hour from now on.
func hour(n int) time.Time {
	return time.Now().Truncate(time.Hour).Add(time.Duration(n) * time.Hour).UTC()
}

// All authorities publish the same consensus each hour, with the signatures of all.
func TestVoting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, 3)
		next := hour(1)
		b.run(func() {
			for i := range 3 {
				at := next.Add(time.Duration(i) * time.Hour)
				time.Sleep(time.Until(at.Add(time.Minute)))
				if c := b.wantSame(at, 3, b.auths...); len(c.Relays) < 10 {
					t.Errorf("%d relays", len(c.Relays))
				}
				text, err := b.auths[0].cfg.Env.State.Read(votesFile)
				if n := len(slices.Collect(vote.Split(text))); n != 3 || err != nil {
					t.Errorf("%d votes on disk, %v", n, err)
				}
			}
		})
	})
}

// A majority makes a consensus without the others, and those who come back take part again.
func TestAuthoritiesDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, 5)
		next := hour(1)
		b.run(func() {
			b.auths[3].stop()
			b.auths[4].stop()
			time.Sleep(time.Until(next.Add(time.Minute)))
			b.wantSame(next, 3, b.auths[:3]...)
			b.start(b.auths[3])
			time.Sleep(time.Hour)
			b.wantSame(next.Add(time.Hour), 4, b.auths[:4]...)
			b.auths[0].stop()
			b.auths[1].stop()
			time.Sleep(time.Hour)
			for _, m := range b.auths {
				m.mu.Lock()
				if m.published[next.Add(2*time.Hour)] != nil {
					t.Error("a minority has published a consensus")
				}
				m.mu.Unlock()
			}
		})
	})
}

// A vote that does not arrive is fetched from those who have it: its author cannot reach one of the others.
func TestMissingVote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, 3)
		next := hour(1)
		b.net.Cut(b.auths[0].host, b.auths[1].host)
		b.run(func() {
			time.Sleep(time.Until(next.Add(time.Minute)))
			b.wantSame(next, 3, b.auths...)
		})
	})
}

// One whose clock is three hours off votes for another time. The others go on, and its votes are refused.
func TestOtherOpinions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, 4)
		next := hour(1)
		b.auths[3].change = func(v *vote.Vote) {
			v.ValidAfter, v.FreshUntil, v.ValidUntil = v.ValidAfter.Add(3*time.Hour), v.FreshUntil.Add(3*time.Hour), v.ValidUntil.Add(3*time.Hour)
		}
		b.run(func() {
			time.Sleep(time.Until(next.Add(time.Minute)))
			b.wantSame(next, 3, b.auths[:3]...)
		})
	})
}

// One whose clock was hours ahead takes part again in the first vote after it was set right.
func TestClockSetBack(t *testing.T) {
	for name, at := range map[string]time.Duration{"between votes": 20 * time.Minute, "during a vote": 52 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, 4)
				b.auths[3].skew.Store(int64(3 * time.Hour))
				next := hour(1)
				b.run(func() {
					time.Sleep(time.Until(next.Add(time.Minute)))
					b.wantSame(next, 3, b.auths[:3]...)
					time.Sleep(time.Until(next.Add(at)))
					b.auths[3].skew.Store(0)
					if at > 50*time.Minute { // the others have voted
						next = next.Add(time.Hour)
					}
					time.Sleep(time.Until(next.Add(time.Hour + time.Minute)))
					b.wantSame(next.Add(time.Hour), 4, b.auths...)
				})
			})
		})
	}
}
