package hsclient

import (
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/hsntor"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
)

// Where a service has not come early, another way is tried, and the one that it comes on first is taken.
func TestLate(t *testing.T) {
	const late = 12 * time.Second
	for _, tt := range []struct {
		name     string
		comes    func(n int) (after time.Duration, ok bool)
		min, max time.Duration
		want     Reason
	}{
		{"not at all at first", func(n int) (time.Duration, bool) { return 0, n > 0 }, early, early + 2*time.Second, 0},
		{"late at first, then not at all", func(n int) (time.Duration, bool) { return late, n == 0 }, late, late + 2*time.Second, 0},
		{"late always", func(n int) (time.Duration, bool) { return late, true }, late, late + 2*time.Second, 0},
		{"late in the end", func(n int) (time.Duration, bool) { return patience - early, n == maxMeetings-1 }, maxMeetings * early, 2 * time.Minute, 0},
		{"too late", func(n int) (time.Duration, bool) { return patience + time.Second, true }, patience, 2 * time.Minute, RendFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, setup{service: func(s *service) {
				s.meet = func(_ *fakepeer.Circuit, r *hsntor.Request, n int) bool {
					if after, ok := tt.comes(n); ok {
						time.AfterFunc(after, func() {
							s.mu.Lock()
							defer s.mu.Unlock()
							if after < patience {
								s.come(r)
							}
						})
					}
					return true
				}
			}}, func(b *bed) {
				begin := time.Now()
				l, err := b.open("alice", 10*time.Minute)
				if took := time.Since(begin); took < tt.min || took > tt.max {
					b.Errorf("after %v", took)
				}
				if tt.want != 0 || err != nil {
					b.wantReason(err, tt.want)
					return
				}
				b.echo(l)
			})
		})
	}
}
