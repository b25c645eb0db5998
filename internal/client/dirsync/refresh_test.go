package dirsync

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/consdiff"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
)

// Over a week, the client asks for the next consensus only when the one it has is no longer fresh, gets it before that
// one ends, and gets it as a diff.
// https://spec.torproject.org/dir-spec/client-operation.html#when-to-download-the-network-status-consensus
func TestRefresh(t *testing.T) {
	const days = 7
	run(t, func(b *bed) {
		b.world.auths = b.world.auths[:1]
		b.cfg.Authorities = b.cfg.Authorities[:1]
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
		b.world.take()
		var seconds [60]int
		for range days * 24 {
			at := b.sync.View().Consensus()
			b.wait(time.Hour)
			for _, r := range b.world.takeOf(kindConsensus) {
				if r.at.Before(at.FreshUntil) || !r.at.Before(at.ValidUntil) {
					t.Errorf("asked at %v, when the consensus is fresh until %v and valid until %v", r.at, at.FreshUntil, at.ValidUntil)
				}
				if len(r.DiffFrom) != 1 || r.DiffFrom[0] != at.Digests.SHA3 || !r.Modified.Equal(at.ValidAfter.Add(3*time.Minute)) || isFallback(r.server) || isAuthority(r.server) {
					t.Errorf("asked %x with DiffFrom %x and Modified %v", r.server, r.DiffFrom, r.Modified)
				}
				at = b.sync.View().Consensus()
				seconds[r.at.Second()]++
			}
			if c := b.sync.View().Consensus(); !live(c, time.Now()) {
				t.Errorf("at %v the consensus is that of %v", time.Now(), c.ValidAfter)
			}
			if got := b.onDisk(dirstore.FileConsensus); !got.Equal(b.sync.View().Consensus().ValidAfter) {
				t.Errorf("on disk is the consensus of %v", got)
			}
		}
		n, used := 0, 0
		for _, s := range seconds {
			n += s
			used += min(s, 1)
		}
		if n < days*8 || n > days*14 || used < 25 {
			t.Errorf("%d downloads in %d days, in %d different seconds of the minute", n, days, used)
		}
		if errs := b.problems(); len(errs) > 0 {
			t.Errorf("problems: %v", errs)
		}
	})
}

// refreshAt stays within the life of the consensus, also in networks that vote every few seconds.
func TestRefreshWindow(t *testing.T) {
	run(t, func(b *bed) {
		for _, interval := range []time.Duration{4 * time.Second, 20 * time.Second, 5 * time.Minute, time.Hour, 12 * time.Hour} {
			for _, early := range []bool{false, true} {
				s := Schedule{Early: early}
				c := b.world.network(hour())
				c.FreshUntil, c.ValidUntil = c.ValidAfter.Add(interval), c.ValidAfter.Add(3*interval)
				earliest, latest := c.ValidUntil, c.ValidAfter
				for range 2000 {
					at := s.refreshAt(c, b.cfg.Rand)
					if at.Before(c.FreshUntil) || !at.Before(c.ValidUntil) {
						t.Fatalf("interval %v, early %v: %v after it began", interval, early, at.Sub(c.ValidAfter))
					}
					if at.Before(earliest) {
						earliest = at
					}
					if at.After(latest) {
						latest = at
					}
				}
				if span := latest.Sub(earliest); interval > time.Minute && span < interval/3 {
					t.Errorf("interval %v, early %v: all within %v", interval, early, span)
				}
			}
		}
	})
}

// Documents may be odd: fresh until long after they end, or for no time at all. No server can make us ask all the time.
func TestOddValidity(t *testing.T) {
	run(t, func(b *bed) {
		c := b.world.network(hour())
		for _, d := range [][2]time.Duration{{time.Second, 2 * time.Second}, {time.Hour, time.Hour + time.Second}, {0, 0}, {24 * 365 * time.Hour, 24 * 366 * time.Hour}} {
			c.FreshUntil, c.ValidUntil = c.ValidAfter.Add(d[0]), c.ValidAfter.Add(d[1])
			for _, early := range []bool{false, true} {
				(&Schedule{Early: early}).refreshAt(c, b.cfg.Rand)
			}
		}
	})
}

// The client goes on with a consensus of yesterday while the network is away, and no longer.
func TestNetworkAwayForDays(t *testing.T) {
	run(t, func(b *bed) {
		b.start()
		b.wait(5 * time.Second)
		last := hour()
		b.world.setHook(unreachable)
		b.wait(26 * time.Hour)
		b.wantReady(last)
		changed := b.sync.Changed()
		b.wait(90 * time.Minute)
		if b.sync.View() != nil {
			t.Error("a consensus that ended a day ago is used")
		}
		select {
		case <-changed:
		default:
			t.Error("nobody was told")
		}
		b.problems()
		b.world.setHook(nil)
		b.wait(maxDeadDelay + 10*time.Second)
		b.wantReady(hour())
	})
}

// The wall clock may be set while we run.
func TestClockIsSet(t *testing.T) {
	run(t, func(b *bed) {
		var offset atomic.Int64
		b.cfg.Env.Now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
		b.world.take()
		offset.Store(int64(30 * time.Hour))
		b.wait(2 * time.Minute)
		if b.sync.View() != nil {
			t.Error("by our clock the consensus has ended a day ago")
		}
		b.wantProblem(ErrExpired, "")
		offset.Store(0)
		b.wait(10 * time.Minute)
		b.wantReady(hour())
	})
}

// A clock that is off is told with what the server said about it.
func TestSkewIsTold(t *testing.T) {
	run(t, func(b *bed) {
		b.cfg.Env.Now = func() time.Time { return time.Now().Add(-48 * time.Hour) }
		b.world.skew = -48 * time.Hour
		b.start()
		b.wait(5 * time.Second)
		for _, e := range b.events() {
			if errors.Is(e.Err, ErrFuture) && e.Skew == -48*time.Hour {
				return
			}
		}
		t.Error("not told")
	})
}

// A clock that is some hours off does not keep the client from working, nor make it ask all the time.
func TestClockSomeHoursOff(t *testing.T) {
	for _, offset := range []time.Duration{-5 * time.Hour, 5 * time.Hour} {
		run(t, func(b *bed) {
			b.cfg.Env.Now = func() time.Time { return time.Now().Add(offset) }
			b.start()
			b.wait(time.Hour)
			if b.sync.View() == nil {
				t.Fatalf("clock off by %v: not ready: %v", offset, b.problems())
			}
			b.world.take()
			b.wait(24 * time.Hour)
			if n := len(b.world.takeOf(kindConsensus)); n > 200 {
				t.Errorf("clock off by %v: %d downloads a day", offset, n)
			}
		})
	}
}

// The server that is asked first may be of no use. Others are asked then.
func TestBadDirectoryGuard(t *testing.T) {
	run(t, func(b *bed) {
		b.start()
		b.wait(5 * time.Second)
		b.world.setHook(func(_ context.Context, s circmgr.DirServer, req dirclient.Request) ([]byte, error) {
			if first := b.cfg.Caches(b.sync.View(), 1, nil)[0]; s.Target.RSA == first.RSA {
				return nil, errNotFound
			}
			return nil, errPass
		})
		for range 12 {
			b.wait(time.Hour)
			if c := b.sync.View().Consensus(); !live(c, time.Now()) {
				t.Errorf("at %v the consensus is that of %v", time.Now(), c.ValidAfter)
			}
		}
	})
}

// A disk that is full costs the quick start, and nothing else.
func TestDiskFull(t *testing.T) {
	run(t, func(b *bed) {
		b.start()
		b.wait(5 * time.Second)
		b.files.FailNext(1<<30, syscall.ENOSPC)
		for range 24 {
			b.wait(time.Hour)
			if c := b.sync.View().Consensus(); !live(c, time.Now()) {
				t.Fatalf("at %v the consensus is that of %v; problems: %v", time.Now(), c.ValidAfter, b.problems())
			}
		}
		b.files.FailNext(0, nil)
		b.wait(3 * time.Hour)
		if got := b.onDisk(dirstore.FileConsensus); time.Since(got) > 4*time.Hour {
			t.Errorf("on disk is the consensus of %v", got)
		}
	})
}

// dying is a store whose process dies after some writes: what comes later does not happen.
type dying struct {
	statefile.Store
	left int
}

var errDead = errors.New("the process is dead")

func (d *dying) change(f func() error) error {
	if d.left == 0 {
		return errDead
	}
	d.left--
	return f()
}

func (d *dying) WriteWhole(name string, data []byte) error {
	return d.change(func() error { return d.Store.WriteWhole(name, data) })
}
func (d *dying) Append(name string, data []byte) error {
	return d.change(func() error { return d.Store.Append(name, data) })
}
func (d *dying) Remove(name string) error {
	return d.change(func() error { return d.Store.Remove(name) })
}

// A kill at any moment leaves a directory from which the next start works, and which spares it what was there.
func TestKill(t *testing.T) {
	for writes := range 9 {
		run(t, func(b *bed) {
			b.world.relays = 400
			b.cfg.Env.State = &dying{b.files, writes}
			b.start()
			b.wait(4 * time.Hour) // with some new consensuses
			b.stopCleanly()
			b.cfg.Env.State = b.files
			before := b.stored()
			b.world.take()
			b.start()
			b.wait(5 * time.Second)
			if b.sync.View() == nil {
				t.Fatalf("killed after %d writes: %v", writes, b.problems())
			}
			n := 0
			for _, r := range b.world.takeOf(kindMicro) {
				n += len(digestsIn(r.Request))
			}
			if n > 400-before {
				t.Errorf("killed after %d writes: asked for %d microdescriptors, when %d were on disk", writes, n, before)
			}
		})
	}
}

// An append may be torn anywhere. What is behind the tear is good again.
func TestTornAppend(t *testing.T) {
	for _, length := range []int{0, 1, 13, 14, 40, 45, 300, 333, 700, 5000} {
		run(t, func(b *bed) {
			b.world.relays = 100
			torn := false
			b.world.only(kindMicro, func(dirclient.Request) ([]byte, error) {
				if !torn {
					torn = true
					b.files.TearNextAppend(length)
				}
				return nil, errPass
			})
			b.start()
			b.wait(20 * time.Second)
			b.wantReady(hour())
			b.restart()
			b.wait(5 * time.Second)
			b.wantReady(hour())
			n := 0
			for _, r := range b.world.takeOf(kindMicro) {
				n += len(digestsIn(r.Request))
			}
			if n > 40 { // one request of three
				t.Errorf("torn after %d bytes: asked for %d again", length, n)
			}
			b.restart()
			b.wantReady(hour())
			if n := len(b.sync.View().Missing()); n > 0 {
				t.Errorf("torn after %d bytes: %d are missing after all", length, n)
			}
		})
	}
}

// Files that somebody has damaged are downloaded anew.
func TestDamagedCache(t *testing.T) {
	damage := map[string]func([]byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"zeros":     func(b []byte) []byte { return make([]byte, len(b)) },
		"truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"changed":   func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("a"), []byte("b")) },
		"doubled":   func(b []byte) []byte { return append(b, b...) },
	}
	for what, change := range damage {
		for _, name := range []string{dirstore.FileConsensus, dirstore.FileCerts, dirstore.FileMicrodescJournal} {
			t.Run(what+" "+name, func(t *testing.T) {
				run(t, func(b *bed) {
					b.start()
					b.wait(5 * time.Second)
					b.stopCleanly()
					b.files.WriteWhole(name, change(must(b.files.Read(name))))
					b.start()
					b.wait(10 * time.Second)
					b.wantReady(hour())
					b.wait(3 * time.Hour) // diffs work too
					if c := b.sync.View().Consensus(); !live(c, time.Now()) {
						t.Errorf("at %v the consensus is that of %v", time.Now(), c.ValidAfter)
					}
				})
			})
		}
	}
}

// A consensus whose certificates an earlier run did not get is taken up again.
func TestUnverifiedOnDisk(t *testing.T) {
	run(t, func(b *bed) {
		b.files.WriteWhole(dirstore.FileUnverifiedConsensus, b.world.consensus(time.Now()))
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
		log := b.world.take()
		if len(log) == 0 || kindOf(log[0].Request) != kindCerts || len(b.world.takeOf(kindConsensus)) != 0 {
			t.Errorf("asked for %v", log)
		}
		if b.onDisk(dirstore.FileConsensus) != hour() || !b.onDisk(dirstore.FileUnverifiedConsensus).IsZero() {
			t.Error("it is not in its place on disk")
		}
	})
	run(t, func(b *bed) { // the certificates are there: the kill came between two writes
		b.files.WriteWhole(dirstore.FileCerts, b.world.certs())
		b.files.WriteWhole(dirstore.FileConsensus, b.world.consensus(time.Now().Add(-time.Hour)))
		b.files.WriteWhole(dirstore.FileUnverifiedConsensus, b.world.consensus(time.Now()))
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
		if n := len(b.world.takeOf(kindConsensus)); n != 0 {
			t.Errorf("%d consensus downloads", n)
		}
		if b.onDisk(dirstore.FileConsensus) != hour() || !b.onDisk(dirstore.FileUnverifiedConsensus).IsZero() {
			t.Error("it is not in its place on disk")
		}
		b.wait(3 * time.Hour)
		if errs := b.problems(); len(errs) > 0 {
			t.Errorf("problems: %v", errs) // such as diffs against what is not on disk
		}
	})
	run(t, func(b *bed) { // one that nobody trusts
		b.files.WriteWhole(dirstore.FileUnverifiedConsensus, b.world.make(hour(), strangers(), nil))
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
		if got := must(b.files.Read(dirstore.FileConsensus)); !bytes.Equal(got, b.world.consensus(time.Now())) {
			t.Error("another consensus is on disk")
		}
	})
}

// After a diff that cannot be used, the whole consensus is asked for.
func TestWholeAfterBadDiff(t *testing.T) {
	run(t, func(b *bed) {
		b.start()
		b.wait(5 * time.Second)
		b.world.take()
		b.world.only(kindConsensus, func(req dirclient.Request) ([]byte, error) {
			if len(req.DiffFrom) > 0 {
				return consdiff.Make(b.world.consensus(b.world.began), b.world.make(hour(), consensustest.Authorities(5)[4:], nil))
			}
			return nil, errPass
		})
		b.wait(3 * time.Hour)
		if age := time.Since(b.sync.View().Consensus().ValidAfter); age > 3*time.Hour {
			t.Errorf("the consensus is %v old", age)
		}
		b.wantProblem(ErrUnsigned, "")
		if log := b.world.takeOf(kindConsensus); len(log) != 2 || len(log[1].DiffFrom) != 0 {
			t.Errorf("asked for %v", log)
		}
		b.world.setHook(nil)
		b.wait(3 * time.Hour)
		if log := b.world.takeOf(kindConsensus); len(log) == 0 || len(log[len(log)-1].DiffFrom) != 1 {
			t.Error("no diffs any more")
		}
	})
}
