package hsclient

import (
	crand "crypto/rand"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/hsenc"
	"github.com/tropea-net/tropea/internal/crypt/hsntor"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// A service has new introduction points, and not all directories know: the client goes on to one that does.
func TestStaleDirectory(t *testing.T) {
	for _, tt := range []struct {
		name  string
		stale int // directories that have the old version alone
		want  Reason
	}{{"one", 1, 0}, {"some", 3, 0}, {"all", 100, IntroFailed}} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, setup{}, func(b *bed) {
				s := b.service
				b.echo(must(b.open("alice", time.Minute)))
				s.mu.Lock()
				for range s.inner.Points {
					enc := must(x25519.Generate(crand.Reader))
					s.points = append(s.points, hsntor.Point{AuthKey: keyfile.GenerateEd().ID(), Enc: enc})
				}
				before := s.descriptor()
				for i := range s.inner.Points {
					p, now := &s.inner.Points[i], s.points[introPoints+i]
					p.AuthCert = must(hsenc.NewCert(torcert.TypeHSIntroAuth, now.AuthKey, s.signing, time.Now()))
					p.EncKey, p.EncCert = now.Enc.Public(), must(hsenc.NewEncCert(now.Enc.Public(), s.signing, time.Now()))
				}
				first := s.fetches
				s.dir = func(n int, text []byte) []byte {
					if n < first+tt.stale {
						return before
					}
					return text
				}
				s.introduce = func(c *fakepeer.Circuit, point, _ int) bool {
					if point < introPoints {
						c.Destroy(1) // it is gone
						return true
					}
					return false
				}
				s.mu.Unlock()
				l, err := b.open("bob", 2*time.Minute)
				if tt.want == 0 && err == nil {
					b.echo(l)
				} else {
					b.wantReason(err, tt.want)
				}
				if n := s.saw().fetches - first; n > 6 || tt.want == 0 && n != tt.stale+1 {
					b.Errorf("%d fetches", n)
				}
			})
		})
	}
}
