package dirsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/extrainfo/extrainfotest"
)

// A cache gets everything from authorities, at their DirPorts, and serves it.
//
// https://spec.torproject.org/dir-spec/directory-cache-operation.html
func TestMirror(t *testing.T) {
	for _, extra := range []bool{false, true} {
		runMirror(t, func(b *mirrorBed) {
			b.cfg.Mirror.ExtraInfo = extra
			b.cfg.Self = b.cfg.Authorities[0].Fingerprint
			b.start()
			b.wait(10 * time.Second)
			b.wantReady(hour())
			extras := 0
			if extra {
				extras = publishers
			}
			b.wantHave(publishers, extras)
			for _, r := range b.world.take() {
				if !isAuthority(r.server) || !r.DirPort.IsValid() || r.DirPort.Port() != 80 {
					t.Errorf("asked %x at %v for %s", r.server, r.DirPort, mirrorKind(r.Request))
				}
				if r.server == b.cfg.Self {
					t.Error("it asked itself")
				}
			}
			b.wantServed("/tor/status-vote/current/consensus", "network-status-version 3\n", 1)
			b.wantServed("/tor/status-vote/current/consensus-microdesc", "network-status-version 3 microdesc\n", 1)
			b.wantServed("/tor/server/all", "router ", publishers)
			b.wantServed("/tor/keys/all", "dir-key-certificate-version ", len(b.world.auths))
			b.wantServed("/tor/extra/all", "extra-info ", extras)
			path, _ := dirhttp.MicrodescPath([][32]byte{b.sync.View().Consensus().Relays[0].Digest})
			b.wantServed(path[:len(path)-2], "onion-key", 1)
			if got := b.signedOnDisk(dirstore.Routers); got != publishers {
				t.Errorf("%d descriptors on disk", got)
			}
			if got := b.onDisk(dirstore.FileNSConsensus); !got.Equal(hour()) {
				t.Errorf("ns consensus on disk is of %v", got)
			}
		})
	}
}

// Until its descriptor says that it caches, a relay asks like a client: what it needs itself first, from caches, never in the
// clear, and the consensus late.
func TestMirrorNotPublic(t *testing.T) {
	runMirror(t, func(b *mirrorBed) {
		b.isPublic.Store(false)
		b.start()
		b.wait(10 * time.Second)
		b.wantHave(publishers, 0)
		log := b.world.take()
		if mirrorKind(log[0].Request) != kindConsensus {
			t.Errorf("asked for %s first", mirrorKind(log[0].Request))
		}
		for _, r := range log {
			if isAuthority(r.server) || r.DirPort.IsValid() {
				t.Errorf("asked %x at %v for %s", r.server, r.DirPort, mirrorKind(r.Request))
			}
		}
		b.wait(44*time.Minute + 44*time.Minute) // until a quarter before the hour after the one that ends the fresh time
		for _, r := range b.world.take() {
			if k := mirrorKind(r.Request); k == kindNS || k == kindConsensus {
				t.Errorf("asked for %s at %v", k, r.at)
			}
		}
		b.isPublic.Store(true)
		b.wait(3 * time.Hour)
		b.world.take()
		b.wait(time.Hour)
		for _, r := range b.world.take() {
			if !isAuthority(r.server) || !r.DirPort.IsValid() {
				t.Errorf("when it is public it asked %x at %v for %s", r.server, r.DirPort, mirrorKind(r.Request))
			}
		}
	})
}

// Both consensuses come soon after the old ones are not fresh any more, as diffs.
func TestMirrorSchedule(t *testing.T) {
	runMirror(t, func(b *mirrorBed) {
		b.start()
		b.wait(10 * time.Second)
		b.world.take()
		for range 12 {
			b.publish()
			b.wait(time.Until(hour().Add(time.Hour + 45*time.Minute)))
			b.wantReady(hour())
			b.wantHave(publishers, 0)
			asked := map[string]int{}
			for _, r := range b.world.take() {
				kind := mirrorKind(r.Request)
				asked[kind]++
				if kind != kindNS && kind != kindConsensus {
					continue
				}
				if len(r.DiffFrom) != 1 || !r.Modified.Equal(hour().Add(-time.Hour).Add(3*time.Minute)) {
					t.Errorf("%s: DiffFrom %x, Modified %v", kind, r.DiffFrom, r.Modified)
				}
				if at := r.at.Sub(hour()); at < 2*time.Minute || at > 32*time.Minute {
					t.Errorf("asked for %s %v after the hour", kind, at)
				}
			}
			if asked[kindNS] != 1 || asked[kindConsensus] != 1 || asked[kindRouter] != 1 {
				t.Errorf("asked %v", asked)
			}
		}
		if ns := b.sync.mirror.ns.current; !ns.ValidAfter.Equal(hour()) {
			t.Errorf("ns consensus of %v", ns.ValidAfter)
		}
	})
}

// Authorities that are late are asked again soon; one that is busy, less often.
func TestMirrorRetries(t *testing.T) {
	runMirror(t, func(b *mirrorBed) {
		b.start()
		b.wait(10 * time.Second)
		b.world.take()
		late := hour().Add(time.Hour + 40*time.Minute)
		busy := b.cfg.Authorities[1].Fingerprint
		b.onlyKind(kindNS, func(s circmgr.DirServer, req dirclient.Request) ([]byte, error) {
			switch {
			case s.Target.RSA == busy:
				return nil, &dirclient.StatusError{Status: 503, Reason: "Directory busy"}
			case time.Now().Before(late):
				return nil, &dirclient.StatusError{Status: 304, Reason: "Not modified"}
			}
			return nil, errPass
		})
		b.wait(time.Until(late))
		requests, toBusy := b.takeKind(kindNS), 0
		for i, r := range requests {
			if r.server == busy {
				toBusy++
			}
			if i > 0 && r.at.Sub(requests[i-1].at) < time.Second {
				t.Errorf("asked twice within %v", r.at.Sub(requests[i-1].at))
			}
		}
		if len(requests) < 5 || len(requests) > 40 || toBusy > len(requests)/2 {
			t.Errorf("%d requests, %d of them to the busy authority", len(requests), toBusy)
		}
		b.wait(19 * time.Minute)
		if ns := b.sync.mirror.ns.current; !ns.ValidAfter.Equal(hour()) {
			t.Errorf("ns consensus of %v", ns.ValidAfter)
		}
	})
}

// manyMissing is a sink that lacks what nobody has.
type manyMissing struct {
	Sink
	digests [][20]byte
}

func (m *manyMissing) MissingDescriptors() [][20]byte { return m.digests }

// Each authority gets one request for descriptors at a time, of not more than a proxy takes, and those that stall do not
// keep the others from being asked.
func TestMirrorOneRequestEach(t *testing.T) {
	runMirror(t, func(b *mirrorBed) {
		sink := &manyMissing{Sink: b.sink}
		for i := range 500 {
			sink.digests = append(sink.digests, [20]byte{byte(i >> 8), byte(i), 7})
		}
		b.cfg.Mirror.Sink = sink
		b.world.relays = 400
		running, most := map[[20]byte]int{}, 0
		staller := b.cfg.Authorities[0].Fingerprint
		b.world.setHook(func(ctx context.Context, s circmgr.DirServer, req dirclient.Request) ([]byte, error) {
			switch mirrorKind(req) {
			case kindRouter:
				if n := len(namedIn(req)); n > dirhttp.MaxDirectDigests {
					t.Errorf("asked for %d descriptors", n)
				}
			case kindMicro:
				if n := len(digestsIn(req)); n > dirhttp.MaxDirectMicro {
					t.Errorf("asked for %d microdescriptors", n)
				}
				return nil, errPass
			default:
				return nil, errPass
			}
			b.world.mu.Lock()
			running[s.Target.RSA]++
			most = max(most, running[s.Target.RSA])
			b.world.mu.Unlock()
			wait := time.Second
			if s.Target.RSA == staller {
				wait = time.Hour
			}
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
			b.world.mu.Lock()
			running[s.Target.RSA]--
			b.world.mu.Unlock()
			return nil, errNotFound
		})
		b.start()
		b.wait(time.Minute)
		b.wantReady(hour())
		asked, each := map[[20]byte]bool{}, map[[20]byte]int{}
		log := b.takeKind(kindRouter)
		for _, r := range log {
			each[r.server]++
			for _, d := range namedIn(r.Request) {
				asked[d] = true
			}
		}
		b.world.mu.Lock()
		together := most
		b.world.mu.Unlock()
		if together != 1 || len(asked) != 500 || each[staller] != 1 || len(each) != 3 {
			t.Errorf("%d requests at a time, %d descriptors asked for, requests: %v", together, len(asked), each)
		}
		// Nobody has them: each part is asked for once a minute, or less.
		b.wait(5 * time.Hour)
		if n := len(b.takeKind(kindRouter)); n > 7*5*60 {
			t.Errorf("%d requests in five hours, for what makes six requests", n)
		}
	})
}

// What is on disk is served again after a restart, and not asked for.
func TestMirrorRestart(t *testing.T) {
	runMirror(t, func(b *mirrorBed) {
		b.cfg.Mirror.ExtraInfo = true
		b.start()
		b.wait(10 * time.Second)
		b.wantHave(publishers, publishers)
		for b.sink.Work() {
		}
		b.newSink()
		b.wantHave(0, 0)
		b.restart()
		b.wait(10 * time.Second)
		if log := b.world.take(); len(log) != 0 {
			t.Errorf("asked for %s", mirrorKind(log[0].Request))
		}
		b.wantReady(hour())
		b.wantHave(publishers, publishers)
		b.wantServed("/tor/status-vote/current/consensus", "network-status-version 3\n", 1)
		b.wantServed("/tor/keys/all", "dir-key-certificate-version ", len(b.world.auths))
		path, _ := dirhttp.MicrodescPath([][32]byte{b.sync.View().Consensus().Relays[0].Digest})
		b.wantServed(path[:len(path)-2], "onion-key", 1)

		// After more than a week nothing of that is worth anything.
		b.stopCleanly()
		b.wait(31 * 24 * time.Hour)
		b.publish()
		b.newSink()
		b.start()
		b.wait(20 * time.Second)
		b.wantReady(hour())
		b.wantServed("/tor/server/all", "router ", publishers)
		if got := len(b.sink.MissingDescriptors()); got != 0 {
			t.Errorf("%d descriptors are missing", got)
		}
	})
}

// A kill at any moment costs at most what was being written.
func TestMirrorKill(t *testing.T) {
	runMirror(t, func(b *mirrorBed) {
		b.cfg.Mirror.ExtraInfo = true
		b.start()
		b.wait(10 * time.Second)
		b.stopCleanly()
		journal := func(name string) []byte {
			text, err := b.files.Read(name)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		routers, extras := journal("cached-descriptors.new"), journal("cached-extrainfo.new")
		for _, lost := range []int{1, 30, 200, 1000, len(routers) - 10, len(routers)} {
			b.files.Remove("cached-descriptors")
			b.files.Remove("cached-extrainfo")
			b.files.WriteWhole("cached-descriptors.new", routers[:len(routers)-lost])
			b.files.WriteWhole("cached-extrainfo.new", extras[:max(0, len(extras)-lost)])
			b.newSink()
			b.cfg.Mirror.ExtraInfo = true
			b.world.take()
			b.start()
			b.wait(10 * time.Second)
			b.wantHave(publishers, publishers)
			for _, r := range b.world.take() {
				if n := len(namedIn(r.Request)); mirrorKind(r.Request) == kindRouter && lost < 1000 && n > 1 {
					t.Errorf("%d bytes lost, %d descriptors asked for", lost, n)
				}
			}
			b.stopCleanly()
			if r, e := b.signedOnDisk(dirstore.Routers), b.signedOnDisk(dirstore.ExtraInfos); r != publishers || e != publishers {
				t.Errorf("%d bytes lost: then %d and %d on disk", lost, r, e)
			}
		}
		// A disk that is full keeps nothing from being served.
		b.files.Remove("cached-descriptors")
		b.files.Remove("cached-descriptors.new")
		b.newSink()
		b.files.FailNext(1000, errors.New("disk full"))
		b.start()
		b.wait(10 * time.Second)
		b.wantHave(publishers, publishers)
		b.files.FailNext(0, nil)
	})
}

// A lying authority gets nothing into the cache that others would not, and is not believed twice.
func TestMirrorHostile(t *testing.T) {
	tests := []struct {
		name string
		lie  func(b *mirrorBed, honest []byte) []byte
		here int // descriptors that come in the end
		more bool
	}{
		{"descriptors that nobody asked for", func(b *mirrorBed, honest []byte) []byte {
			d, _ := relays()[0].Publish(time.Now().Add(time.Hour))
			return append(d, honest...)
		}, publishers, false},
		{"other documents", func(b *mirrorBed, _ []byte) []byte { return b.nsConsensus(time.Now()) }, publishers, true},
		{"nothing", func(*mirrorBed, []byte) []byte { return nil }, publishers, true},
		{"half of one", func(_ *mirrorBed, honest []byte) []byte { return honest[:len(honest)/publishers/2] }, publishers, true},
		{"a wrong RSA signature", func(_ *mirrorBed, honest []byte) []byte { return inSignature(honest, "AAAA") }, publishers, true},
		{"no RSA signature", func(_ *mirrorBed, honest []byte) []byte { return inSignature(honest, "****") }, publishers, true},
		{"a long RSA signature", func(_ *mirrorBed, honest []byte) []byte { return inSignature(honest, strings.Repeat("A", 1<<18)) }, publishers, true},
		{"one twice", func(_ *mirrorBed, honest []byte) []byte { return append(bytes.Clone(honest), honest...) }, publishers, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runMirror(t, func(b *mirrorBed) {
				lied := false
				b.onlyKind(kindRouter, func(_ circmgr.DirServer, req dirclient.Request) ([]byte, error) {
					honest, err := b.answer(kindRouter, req)
					if lied || err != nil {
						return honest, err
					}
					lied = true
					b.world.mu.Lock()
					defer b.world.mu.Unlock()
					return tt.lie(b, honest), nil
				})
				b.start()
				b.wait(2 * time.Minute)
				b.wantHave(tt.here, 0)
				b.wantServed("/tor/server/all", "router ", tt.here)
				if n := len(b.takeKind(kindRouter)); (n > 1) != tt.more {
					t.Errorf("%d requests", n)
				}
				if got := b.signedOnDisk(dirstore.Routers); got != tt.here {
					t.Errorf("%d descriptors on disk", got)
				}
			})
		})
	}
}

// inSignature replaces the beginning of the first RSA signature.
func inSignature(text []byte, with string) []byte {
	begin := []byte("router-signature\n-----BEGIN SIGNATURE-----\n")
	i := bytes.Index(text, begin) + len(begin)
	return slices.Concat(text[:i], []byte(with), text[i+4:])
}

// A descriptor that is no good is the same everywhere: it is asked for once. So is one that was made for another time.
func TestMirrorHopeless(t *testing.T) {
	runMirror(t, func(b *mirrorBed) {
		b.cfg.Mirror.ExtraInfo = true
		bad := bytes.Replace(b.descs[b.current[0]], []byte("\nuptime 0\n"), []byte("\nuptime 1\n"), 1)
		var digest [20]byte
		for d := range dirstore.Split(dirstore.Routers, bad) {
			digest = d.Digest
		}
		old := time.Now()
		late, _ := relays()[1].Publish(old.Add(-40 * 24 * time.Hour))
		var lateDigest [20]byte
		for d := range dirstore.Split(dirstore.Routers, late) {
			lateDigest = d.Digest
		}
		b.descs[digest], b.descs[lateDigest] = bad, late
		b.current[0], b.current[1] = digest, lateDigest
		// An extra-info document that says something else than its descriptor.
		for d, text := range b.extras {
			if bytes.HasPrefix(text, []byte("extra-info "+relays()[2].Nickname+" ")) {
				b.extras[d] = bytes.Replace(text, []byte("1024"), []byte("1025"), 1)
			}
		}
		b.start()
		b.wait(30 * time.Minute)
		b.wantHave(publishers-2, publishers-3)
		asked := map[string]int{}
		for _, r := range b.world.take() {
			if k := mirrorKind(r.Request); k == kindRouter {
				asked[k]++
			}
		}
		if asked[kindRouter] != 1 {
			t.Errorf("asked %v", asked)
		}
		// Nor is it after the next consensus, which lists them again.
		b.wait(time.Hour)
		if n := len(b.takeKind(kindRouter)); n != 0 {
			t.Errorf("asked %d times again", n)
		}
	})
}

// Certificates of all signers are kept, also of those that this node does not trust, and also old ones for a while.
func TestMirrorCerts(t *testing.T) {
	runMirror(t, func(b *mirrorBed) {
		all := consensustest.Authorities(4)
		stranger := all[3]
		b.world.auths = all
		b.start()
		b.wait(10 * time.Second)
		b.wantServed(fmt.Sprintf("/tor/keys/fp/%X", stranger.ID()), "dir-key-certificate-version ", 1)
		b.wantServed("/tor/keys/all", "dir-key-certificate-version ", 4)
		b.newSink()
		b.restart()
		b.wait(10 * time.Second)
		b.wantServed("/tor/keys/all", "dir-key-certificate-version ", 4)
		if n := len(b.takeKind(kindCerts)); n != 0 {
			t.Errorf("asked for certificates %d times, which are on disk", n)
		}
		trusted := b.sync.trusted()
		b.stopCleanly()
		if len(trusted) != 3 {
			t.Errorf("trusts %d", len(trusted))
		}
	})
	// A client does not want them.
	runMirror(t, func(b *mirrorBed) {
		b.world.auths = consensustest.Authorities(4)
		b.cfg.Mirror, b.cfg.FromAuthorities = nil, nil
		b.start()
		b.wait(10 * time.Second)
		b.wantReady(hour())
		b.stopCleanly()
		if n := len(b.sync.certs); n != 3 {
			t.Errorf("%d certificates", n)
		}
	})
}

// An authority whose certificate has run out, or that did not sign, is asked for by its identity.
func TestMirrorCertsMissing(t *testing.T) {
	runMirror(t, func(b *mirrorBed) {
		all := b.world.auths
		silent := all[2].ID()
		b.world.auths = all[:2] // the third does not sign
		b.onlyKind(kindCertFP, func(_ circmgr.DirServer, req dirclient.Request) ([]byte, error) {
			if got := namedIn(req); len(got) != 1 || got[0] != silent {
				t.Errorf("asked for %X", got)
			}
			return all[2].Cert(hour(), hour().Add(3*time.Hour)), nil
		})
		b.start()
		b.wait(10 * time.Second)
		b.wantServed("/tor/keys/all", "dir-key-certificate-version ", 3)
		if n := len(b.takeKind(kindCertFP)); n != 1 {
			t.Errorf("%d requests", n)
		}
		b.wait(4 * time.Hour)
		if n := len(b.takeKind(kindCertFP)); n == 0 {
			t.Error("not asked again when that has run out")
		}
	})
}

func TestDropOldCerts(t *testing.T) {
	day := 24 * time.Hour
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	cert := func(authority byte, published, expires time.Duration) *authcert.Cert {
		return &authcert.Cert{Fingerprint: [20]byte{authority}, Published: now.Add(published), Expires: now.Add(expires)}
	}
	certs := map[consensus.KeyID]*authcert.Cert{}
	drop := map[*authcert.Cert]bool{}
	for i, x := range []struct {
		c    *authcert.Cert
		drop bool
	}{
		{cert(1, -300*day, -100*day), false}, // the newest of its authority
		{cert(2, -90*day, day), true},        // superseded long ago
		{cert(2, -10*day, 80*day), false},
		{cert(3, -90*day, -day), false},
		{cert(3, -day, 80*day), false},   // superseded a day ago
		{cert(4, -90*day, -3*day), true}, // out of force for three days
		{cert(4, -day, 80*day), false},
		{cert(5, -90*day, -3*day), false},
		{cert(5, day, 80*day), false}, // of the future
	} {
		certs[consensus.KeyID{SigningKey: [20]byte{byte(i)}}], drop[x.c] = x.c, x.drop
	}
	new(mirror).dropOldCerts(certs, now)
	for c, want := range drop {
		if kept := slices.Contains(slices.Collect(maps.Values(certs)), c); kept == want {
			t.Errorf("certificate of authority %d from %v: kept is %v", c.Fingerprint[0], c.Published, kept)
		}
	}
}

// A consensus that is not what was asked for is refused, and the next authority asked.
func TestMirrorBadConsensus(t *testing.T) {
	for name, lie := range map[string]func(b *mirrorBed, honest []byte) []byte{
		"of the other flavor": func(b *mirrorBed, _ []byte) []byte { return b.world.consensus(time.Now()) },
		"changed": func(_ *mirrorBed, honest []byte) []byte {
			return bytes.Replace(honest, []byte("Running"), []byte("Sunning"), 1)
		},
		"of strangers": func(b *mirrorBed, honest []byte) []byte {
			c, _ := consensus.Parse(honest)
			return consensustest.Sign(c, consensustest.Authorities(5)[3:])
		},
		"no consensus": func(*mirrorBed, []byte) []byte { return []byte("router x\n") },
		"a diff":       func(*mirrorBed, []byte) []byte { return []byte("network-status-diff-version 1\nhash A B\n1d\n") },
		"nothing":      func(*mirrorBed, []byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			runMirror(t, func(b *mirrorBed) {
				lied := 0
				b.onlyKind(kindNS, func(_ circmgr.DirServer, req dirclient.Request) ([]byte, error) {
					honest, err := b.answer(kindNS, req)
					if lied++; err != nil || lied > 2 {
						return honest, err
					}
					b.world.mu.Lock()
					defer b.world.mu.Unlock()
					return lie(b, honest), nil
				})
				b.start()
				b.wait(30 * time.Second)
				b.wantHave(publishers, 0)
				log := b.takeKind(kindNS)
				if len(log) != 3 || log[0].server == log[1].server || log[1].server == log[2].server {
					t.Errorf("%d requests", len(log))
				}
				b.wantReady(hour())
			})
		})
	}
}

// Journals do not grow for ever.
func TestMirrorRebuild(t *testing.T) {
	runMirror(t, func(b *mirrorBed) {
		b.start()
		b.wait(10 * time.Second)
		b.stopCleanly()
		pad := bytes.Repeat([]byte("# what is no document\n"), maxJournal/20)
		if err := b.files.Append("cached-descriptors.new", pad); err != nil {
			t.Fatal(err)
		}
		b.newSink()
		b.start()
		b.wait(10 * time.Second)
		if _, err := b.files.Read("cached-descriptors.new"); err == nil {
			t.Error("the journal is there still after the start")
		}
		f := &b.sync.mirror.routers
		f.journal = maxJournal // as after many downloads; the owner waits
		b.publish()
		b.wait(time.Hour)
		b.wantHave(publishers, 0)
		if _, err := b.files.Read("cached-descriptors.new"); err == nil || f.journal != 0 {
			t.Error("the journal is there still")
		}
		if got := b.signedOnDisk(dirstore.Routers); got != 2*publishers {
			t.Errorf("%d descriptors on disk, want those of both times", got)
		}
	})
}

// keeper is a sink that wants more on disk than it takes.
type keeper struct {
	*dircache.Cache
	keep map[[20]byte]bool
}

func (k keeper) HasDescriptor(d [20]byte) bool { return k.keep[d] || k.Cache.HasDescriptor(d) }
func (k keeper) HasExtraInfo(d [20]byte) bool  { return k.keep[d] || k.Cache.HasExtraInfo(d) }

// What is stored with annotations of its own stays on disk as long as the sink wants it there, and nobody is given it.
func TestMirrorStored(t *testing.T) {
	runMirror(t, func(b *mirrorBed) {
		desc, extra := extrainfotest.New("bridge").Publish(time.Now().UTC().Truncate(time.Second))
		docs := [2]dirstore.Signed{}
		for docs[0] = range dirstore.Split(dirstore.Routers, desc) {
		}
		for docs[1] = range dirstore.Split(dirstore.ExtraInfos, extra) {
		}
		docs[0].Annotations = dirstore.AnnotateBridge(time.Now(), netip.MustParseAddr("192.0.2.1"))
		keep := map[[20]byte]bool{docs[0].Digest: true, docs[1].Digest: true}
		newSink := func() {
			b.newSink()
			b.cfg.Mirror = &Mirror{Sink: keeper{b.sink, keep}, Stored: true}
		}
		newSink()
		b.start()
		b.wait(10 * time.Second)
		b.sync.StoreRouter(docs[0])
		b.sync.StoreExtraInfo(docs[1])
		for _, want := range []int{1, 1, 0} { // after the journal was rewritten, and no more when it is not wanted
			b.wantHave(publishers, 0)
			b.stopCleanly()
			newSink()
			b.files.Append("cached-descriptors.new", []byte("# torn"))
			b.files.Append("cached-extrainfo.new", []byte("# torn"))
			if want == 0 {
				clear(keep)
			}
			b.start()
			b.wait(10 * time.Second)
			if _, err := b.files.Read("cached-extrainfo.new"); err == nil {
				t.Error("the journal is there still after the start")
			}
			var found, extras int
			b.sync.store.ReadSigned(dirstore.Routers, func(d dirstore.Signed) {
				if !d.General() && string(d.Text) == string(docs[0].Text) && string(d.Annotations) == string(docs[0].Annotations) {
					found++
				}
			})
			b.sync.store.ReadSigned(dirstore.ExtraInfos, func(dirstore.Signed) { extras++ })
			if found != want || extras != want {
				t.Errorf("%d descriptors and %d extra-info documents on disk, want %d", found, extras, want)
			}
		}
	})
}
