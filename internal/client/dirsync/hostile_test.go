package dirsync

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/consdiff"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
)

// make returns a consensus that begins at the given time, changed and signed as a test wants it.
func (w *world) make(at time.Time, by []consensustest.Authority, change func(c *consensus.Consensus)) []byte {
	c := w.network(at)
	c.Sources = consensustest.New(consensustest.Options{Flavor: c.Flavor, ValidAfter: at, Authorities: consensustest.Authorities(5)}).Consensus.Sources
	if change != nil {
		change(c)
	}
	return consensustest.Sign(c, by)
}

// strangers are authorities that nobody has configured.
func strangers() []consensustest.Authority { return consensustest.Authorities(5)[3:] }

// badConsensuses must be refused by a client that has the certificates. They are made at the time at which the next
// consensus would be downloaded.
var badConsensuses = []struct {
	name string
	make func(w *world) []byte
	is   error
	says string
}{
	{"empty", func(w *world) []byte { return nil }, nil, "consensus"},
	{"garbage", func(w *world) []byte { return bytes.Repeat([]byte("\x00\xff junk\n"), 1000) }, nil, "consensus"},
	{"page of a portal", func(w *world) []byte { return []byte("<html><body>Please log in</body></html>\n") }, nil, "consensus"},
	{"truncated in a relay", func(w *world) []byte { d := w.consensus(time.Now()); return d[:len(d)/2] }, nil, "consensus"},
	{"truncated before the signatures", func(w *world) []byte {
		d := w.consensus(time.Now())
		return d[:bytes.Index(d, []byte("directory-signature"))]
	}, nil, "consensus"},
	{"truncated in the last signature", func(w *world) []byte { d := w.consensus(time.Now()); return d[:len(d)-40] }, nil, "consensus"},
	{"other flavor", func(w *world) []byte {
		return consensustest.New(consensustest.Options{Relays: 3, Flavor: consensus.NS, ValidAfter: hour(), Authorities: w.auths}).Doc
	}, ErrNotWanted, ""},
	{"one signature of three", func(w *world) []byte { return w.make(hour(), w.auths[:1], nil) }, ErrUnsigned, "1 of the 2"},
	{"one authority twice", func(w *world) []byte {
		return w.make(hour(), []consensustest.Authority{w.auths[0], w.auths[0]}, nil)
	}, nil, ""},
	{"unknown authorities", func(w *world) []byte { return w.make(hour(), strangers(), nil) }, ErrUnsigned, "2 from authorities that we do not know"},
	{"more unknown than known", func(w *world) []byte {
		return w.make(hour(), append(strangers(), w.auths[0]), nil)
	}, ErrUnsigned, "1 of the 2"},
	{"changed after it was signed", func(w *world) []byte {
		return bytes.Replace(w.consensus(time.Now()), []byte("\ns "), []byte("\ns BadExit "), 1)
	}, nil, ""},
	{"signatures of another", func(w *world) []byte {
		d, other := w.consensus(time.Now()), w.make(hour(), w.auths, func(c *consensus.Consensus) { c.Relays = c.Relays[:5] })
		return slices.Concat(d[:bytes.Index(d, []byte("directory-signature"))], other[bytes.Index(other, []byte("directory-signature")):])
	}, ErrUnsigned, "3 bad"},
	{"expired", func(w *world) []byte { return w.make(hour().Add(-28*time.Hour), w.auths, nil) }, ErrExpired, "valid until"},
	{"from the future", func(w *world) []byte { return w.make(hour().Add(26*time.Hour), w.auths, nil) }, ErrFuture, "valid from"},
	{"not newer", func(w *world) []byte { return w.make(hour().Add(-5*time.Hour), w.auths, nil) }, nil, ""},
	{"diff against another base", func(w *world) []byte {
		return must(consdiff.Make(w.make(hour().Add(-9*time.Hour), w.auths, nil), w.consensus(time.Now())))
	}, consdiff.ErrBase, "consensus diff"},
	{"diff to something else than it says", func(w *world) []byte {
		d := must(consdiff.Make(w.consensus(w.began), w.consensus(time.Now())))
		return bytes.Replace(d, []byte("fresh-until"), []byte("fresh-unti1"), 1)
	}, consdiff.ErrTarget, "consensus diff"},
	{"diff with junk commands", func(w *world) []byte {
		d := must(consdiff.Make(w.consensus(w.began), w.consensus(time.Now())))
		head := bytes.Join(bytes.SplitAfterN(d, []byte("\n"), 3)[:2], nil)
		return append(head, "99999999,999999999c\nx\n.\n"...)
	}, consdiff.ErrSyntax, "consensus diff"},
	{"diff whose result is badly signed", func(w *world) []byte {
		return must(consdiff.Make(w.consensus(w.began), w.make(hour(), strangers(), nil)))
	}, ErrUnsigned, "consensus diff"},
	{"diff alone in its head", func(w *world) []byte { return []byte("network-status-diff-version 1\n") }, consdiff.ErrSyntax, "consensus diff"},
}

// hourly answers with what doc makes, which it makes anew each hour.
func hourly(doc func() []byte) func(dirclient.Request) ([]byte, error) {
	made := map[time.Time][]byte{}
	return func(dirclient.Request) ([]byte, error) {
		if made[hour()] == nil {
			made[hour()] = doc()
		}
		return made[hour()], nil
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Whatever servers send in place of the next consensus, the client says what is wrong with it, keeps what it has, and
// takes a good one when it comes.
func TestBadConsensus(t *testing.T) {
	for _, tt := range badConsensuses {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(b *bed) {
				b.start()
				b.wait(5 * time.Second)
				first := hour()
				b.wantReady(first)
				files := map[string][]byte{}
				for _, name := range []string{dirstore.FileConsensus, dirstore.FileCerts, dirstore.FileMicrodescJournal} {
					files[name] = must(b.files.Read(name))
				}
				b.problems()
				b.world.only(kindConsensus, hourly(func() []byte { return tt.make(b.world) }))
				b.wait(4 * time.Hour) // the good one has expired now, and can still be used
				view := b.sync.View()
				if view == nil || !view.Consensus().ValidAfter.Equal(first) {
					t.Errorf("the view is lost: %v", view)
				}
				for name, text := range files {
					if now, err := b.files.Read(name); !bytes.Equal(now, text) {
						t.Errorf("%s has changed on disk: %d bytes, were %d (%v)", name, len(now), len(text), err)
					}
				}
				if n := b.onDisk(dirstore.FileUnverifiedConsensus); !n.IsZero() {
					t.Errorf("kept as unverified: %v", n)
				}
				if tt.name != "not newer" {
					b.wantProblem(tt.is, tt.says)
				}
				b.restart()
				if b.sync.View() != nil {
					b.wantReady(first)
				}
				b.world.setHook(nil)
				b.wait(2 * time.Hour)
				b.wantReady(b.onDisk(dirstore.FileConsensus))
				if age := time.Since(b.sync.View().Consensus().ValidAfter); age > 3*time.Hour {
					t.Errorf("two hours after the servers have mended, the consensus is %v old", age)
				}
			})
		})
	}
}

// The same documents, sent to a client that has nothing yet.
func TestBadFirstConsensus(t *testing.T) {
	for _, tt := range badConsensuses {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "not newer" {
				t.Skip("it is good for a client that has none")
			}
			run(t, func(b *bed) {
				b.world.consensus(time.Now().Add(-4 * time.Hour))
				b.files.WriteWhole(dirstore.FileCerts, b.world.certs())
				b.world.only(kindConsensus, hourly(func() []byte { return tt.make(b.world) }))
				b.start()
				b.wait(time.Minute)
				if b.sync.View() != nil || !b.onDisk(dirstore.FileConsensus).IsZero() {
					t.Error("it was taken")
				}
				if errs := b.problems(); len(errs) == 0 {
					t.Error("no problem is told")
				}
				b.world.setHook(nil)
				b.sync.Nudge()
				b.wait(5 * time.Second)
				b.wantReady(hour())
			})
		})
	}
}

// A consensus may come before the certificates that it is signed with.
// https://spec.torproject.org/dir-spec/client-operation.html
func TestCertificates(t *testing.T) {
	other := strangers()
	now := time.Now // of the bubble
	cert := func(a *consensustest.Authority) []byte { return a.Cert(now().Add(-time.Hour), now().AddDate(1, 0, 0)) }
	bad := []struct {
		name string
		make func(w *world) ([]byte, error)
		is   error
		says string
	}{
		{"not there", func(*world) ([]byte, error) { return nil, errNotFound }, nil, "404"},
		{"empty", func(*world) ([]byte, error) { return nil, nil }, errIncomplete, ""},
		{"garbage", func(*world) ([]byte, error) { return []byte("dir-key-certificate-version 3\njunk\n"), nil }, nil, "authority certificate"},
		{"of unknown authorities", func(*world) ([]byte, error) {
			return append(cert(&other[0]), cert(&other[1])...), nil
		}, nil, "unknown authority"},
		{"one of two", func(w *world) ([]byte, error) { return cert(&w.auths[0]), nil }, errIncomplete, ""},
		{"expired", func(w *world) (text []byte, err error) {
			for i := range w.auths {
				text = append(text, w.auths[i].Cert(now().AddDate(-1, 0, 0), now().Add(-time.Hour))...)
			}
			return text, nil
		}, nil, "has expired"},
		{"of other keys", func(w *world) (text []byte, err error) {
			for i := range w.auths {
				a := w.auths[i]
				a.Signing = other[0].Signing
				text = append(text, cert(&a)...)
			}
			return text, nil
		}, errIncomplete, ""},
		{"changed", func(w *world) ([]byte, error) {
			return bytes.ReplaceAll(w.certs(), []byte("dir-key-expires 2"), []byte("dir-key-expires 3")), nil
		}, nil, "authority certificate"},
		{"huge", func(w *world) ([]byte, error) { return bytes.Repeat(w.certs(), maxCerts/1000), nil }, nil, "too long"},
	}
	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(b *bed) {
				b.world.only(kindCerts, func(dirclient.Request) ([]byte, error) { return tt.make(b.world) })
				b.start()
				b.wait(30 * time.Second)
				b.wantProblem(tt.is, tt.says)
				if b.sync.View() != nil || !b.onDisk(dirstore.FileConsensus).IsZero() {
					t.Error("a consensus was believed")
				}
				if b.onDisk(dirstore.FileUnverifiedConsensus) != hour() {
					t.Error("the consensus is not kept for when the certificates come")
				}
				asked := b.world.takeOf(kindCerts)
				if len(asked) < 3 || len(asked) > 30 || asked[0].server == asked[len(asked)-1].server && asked[1].server == asked[0].server {
					t.Errorf("asked %d times in half a minute", len(asked))
				}
				b.world.setHook(nil)
				b.wait(time.Minute)
				b.wantReady(hour())
				if !b.onDisk(dirstore.FileUnverifiedConsensus).IsZero() || b.onDisk(dirstore.FileConsensus) != hour() {
					t.Error("the consensus is not moved to its place on disk")
				}
				b.restart()
				b.wantReady(hour())
			})
		})
	}
}

// A server can name keys that do not exist. Its consensus must not keep others away for long.
func TestConsensusWithInventedKeys(t *testing.T) {
	run(t, func(b *bed) {
		forged := slices.Clone(b.world.auths)
		for i := range forged {
			forged[i].Signing = strangers()[0].Signing
		}
		b.world.only(kindConsensus, func(dirclient.Request) ([]byte, error) {
			return b.world.make(hour().Add(2*time.Hour), forged, nil), nil // newer than all that is honest
		})
		b.start()
		b.wait(30 * time.Second)
		if b.sync.View() != nil {
			t.Fatal("it was believed")
		}
		b.world.setHook(nil)
		b.wait(certPatienceStart)
		b.wantReady(hour())
		if !b.onDisk(dirstore.FileUnverifiedConsensus).IsZero() {
			t.Error("the forged one is still on disk")
		}
	})
	run(t, func(b *bed) { // the same for a client that has one
		b.start()
		b.wait(5 * time.Second)
		forged := slices.Clone(b.world.auths)
		for i := range forged {
			forged[i].Signing = strangers()[0].Signing
		}
		b.world.only(kindConsensus, hourly(func() []byte { return b.world.make(hour().Add(2*time.Hour), forged, nil) }))
		b.wait(3*time.Hour + 30*time.Minute)
		b.world.setHook(nil)
		b.wait(certPatience + 10*time.Minute)
		b.wantReady(b.onDisk(dirstore.FileConsensus))
		if age := time.Since(b.sync.View().Consensus().ValidAfter); age > 2*time.Hour {
			t.Errorf("the consensus is %v old", age)
		}
	})
}

// A certificate that expires while we run does not unmake the consensus, but the next one needs another.
func TestCertificateExpires(t *testing.T) {
	run(t, func(b *bed) {
		var short []byte
		for i := range b.world.auths {
			short = append(short, b.world.auths[i].Cert(time.Now().Add(-time.Hour), time.Now().Add(10*time.Minute))...)
		}
		b.world.only(kindCerts, func(dirclient.Request) ([]byte, error) { return short, nil })
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
		b.wait(time.Hour)
		b.world.setHook(nil)
		b.wait(4 * time.Hour)
		if age := time.Since(b.sync.View().Consensus().ValidAfter); age > 3*time.Hour {
			t.Errorf("the consensus is %v old", age)
		}
		if !strings.Contains(string(must(b.files.Read(dirstore.FileCerts))), "dir-key-expires 2001-") {
			t.Error("the new certificates are not on disk")
		}
	})
}
