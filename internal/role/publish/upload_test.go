package publish

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// Each authority gets the descriptor until it has taken it; one that finds it wrong is not asked again.
func TestAuthorities(t *testing.T) {
	run(t, nil, func(b *bed) {
		b.set(func() {
			b.reply = func(to netip.AddrPort) (Reply, error) {
				if to == auth[0].Dir[0] {
					return Reply{}, errors.New("refused")
				}
				return Reply{Status: 400, Reason: "Fingerprint is marked rejected"}, nil
			}
		})
		b.p.Changed("test")
		time.Sleep(2 * time.Minute)
		first, _, _ := b.uploads()
		time.Sleep(3 * time.Hour)
		tried, _, _ := b.uploads()
		b.set(func() { b.reply = nil })
		time.Sleep(time.Hour)
		n1, n2, _ := b.uploads()
		if tried-first < 4 || tried-first > 12 || n1 != tried+1 || n2 != 2 {
			t.Errorf("%d, then %d, then %d uploads to one, %d to the other", first, tried, n1, n2)
		}
		b.wantLogged(1, `http status 400 (\"Fingerprint is marked rejected\") response from dirserver b. Please correct.`)
		if e := happened[Rejected](b); len(e) != 1 || e[0] != (Rejected{"b", "Fingerprint is marked rejected"}) {
			t.Errorf("events %+v", e)
		}
	})
}

// What is not an answer to a descriptor is told once for each.
func TestOddReplies(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply Reply
		err   error
		want  map[string]int // logged lines
		retry bool
	}{
		{"not new", Reply{Status: 200, NotNew: true}, nil, map[string]int{"level=WARN": 0}, false},
		{"busy", Reply{Status: 503, Reason: "Directory busy"}, nil, map[string]int{"was unexpected": 0, "None of the 2 directory authorities takes our descriptor": 1}, true},
		{"not found", Reply{Status: 404, Reason: "Not found"}, nil, map[string]int{`HTTP status 404 (\"Not found\") was unexpected while uploading descriptor to server`: 2}, true},
		{"redirect", Reply{Status: 302}, nil, map[string]int{"was unexpected": 2}, true},
		{"no connection", Reply{}, errors.New("no route"), map[string]int{"None of the 2 directory authorities takes our descriptor, without which clients cannot find this relay. Can it connect to them? The last one said: no route": 1}, true},
	} {
		run(t, nil, func(b *bed) {
			b.set(func() { b.reply = func(netip.AddrPort) (Reply, error) { return tt.reply, tt.err } })
			b.p.Changed("test")
			time.Sleep(3 * time.Hour)
			if n, _, _ := b.uploads(); n > 2 != tt.retry {
				t.Errorf("%s: %d uploads", tt.name, n)
			}
			for text, n := range tt.want {
				b.wantLogged(n, text)
			}
		})
	}
}

// Clocks that differ are told of once.
func TestSkew(t *testing.T) {
	for text, off := range map[string]time.Duration{
		"Our clock is 2h0m0s behind that of directory authority b, or its clock is wrong.":   2 * time.Hour,
		"Our clock is 1h0m0s ahead of that of directory authority b, or its clock is wrong.": -time.Hour,
		"": 29 * time.Minute,
	} {
		run(t, nil, func(b *bed) {
			b.set(func() {
				b.reply = func(to netip.AddrPort) (Reply, error) {
					if to == auth[1].Dir[0] {
						return Reply{Status: 200, Date: time.Now().Add(off)}, nil
					}
					return Reply{Status: 200, Date: time.Now()}, nil
				}
			})
			for range 3 {
				b.p.Changed("test")
				time.Sleep(time.Hour)
			}
			b.want(4, 4)
			if text == "" {
				b.wantLogged(0, "Our clock")
			} else {
				b.wantLogged(1, text)
			}
		})
	}
}

// A descriptor that is replaced while it is on its way is followed by the new one.
func TestSlowAuthority(t *testing.T) {
	run(t, func(i *Info) { i.AssumeIPv4 = false }, func(b *bed) {
		posted := make(chan struct{})
		post := b.p.cfg.Post
		b.p.cfg.Post = func(ctx context.Context, to netip.AddrPort, body []byte, reason string) (Reply, error) {
			if to == auth[0].Dir[0] {
				select {
				case <-posted:
				case <-ctx.Done():
					return Reply{}, context.Cause(ctx)
				}
			}
			return post(ctx, to, body, reason)
		}
		b.p.Incoming(addr4, addr("9.9.9.9"))
		b.want(0, 1)
		time.Sleep(30 * time.Second)
		b.p.Changed("test")
		time.Sleep(29 * time.Second)
		b.want(0, 1)
		close(posted)
		n1, n2, _ := b.uploads()
		time.Sleep(5 * time.Minute)
		b.want(n1+1, n2+1)
		b.wantReason("test")
	})
}

// An authority has several addresses, or none but by a circuit.
func TestWays(t *testing.T) {
	run(t, nil, func(b *bed) {
		b.want(1, 1)
		var p Publisher
		docs := &Documents{Descriptor: []byte("router\n"), ExtraInfo: &ExtraInfo{Text: []byte("extra-info\n")}, reason: "test"}
		first, second := netip.MustParseAddrPort("9.0.0.3:80"), netip.MustParseAddrPort("9.0.0.4:80")
		p.cfg.Post = func(_ context.Context, to netip.AddrPort, body []byte, reason string) (Reply, error) {
			if to == first {
				return Reply{}, errors.New("down")
			}
			return Reply{Status: 200, Reason: string(body) + reason}, nil
		}
		r, err := p.post(t.Context(), Authority{Dir: []netip.AddrPort{first, second}}, docs)
		if err != nil || r.Reason != "router\nextra-info\ntest" {
			t.Errorf("%+v, %v", r, err)
		}
		through := func(_ context.Context, body []byte, reason string) (Reply, error) {
			return Reply{Status: 200, Reason: "through " + reason}, nil
		}
		if r, err := p.post(t.Context(), Authority{Post: through}, docs); err != nil || r.Reason != "through test" {
			t.Errorf("%+v, %v", r, err)
		}
		if _, err := p.post(t.Context(), Authority{}, docs); err != errNoAddr {
			t.Errorf("no address: %v", err)
		}
	})
}

func TestExtraInfo(t *testing.T) {
	extra := &ExtraInfo{Text: []byte("extra-info me\n"), Digest: [20]byte{1}, SHA256: [32]byte{2}}
	run(t, nil, func(b *bed) {
		b.set(func() { b.extra = extra })
		b.p.Changed("test")
		time.Sleep(time.Minute)
		if d := b.want(2, 2); d.ExtraInfo != extra.Digest || d.ExtraInfo256 != extra.SHA256 || b.p.Current().ExtraInfo != extra {
			t.Errorf("digests %x, %x", d.ExtraInfo, d.ExtraInfo256)
		}
		b.set(func() { b.extra = &ExtraInfo{Text: make([]byte, routerdesc.MaxUpload+1)} })
		b.p.Changed("test")
		time.Sleep(time.Minute)
		if d := b.want(3, 3); d.ExtraInfo != [20]byte{} || b.p.Current().ExtraInfo != nil {
			t.Error("too large")
		}
		b.wantLogged(1, "Cannot make an extra-info document, and do without: 20001 bytes, larger than authorities take")
	})
}
