package hsclient

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
)

// lossy loses ways to introduction points.
type lossy struct {
	Circuits
	service *service
	points  [][20]byte
	lose    atomic.Int64
	atEnd   bool
}

func (l *lossy) Inside(ctx context.Context, need circmgr.InsideNeed) (circmgr.Inside, error) {
	// Before there is a descriptor, the way goes to a directory.
	if end := need.End; end != nil && l.service.saw().fetches > 0 && slices.Contains(l.points, end.RSA) && l.lose.Add(-1) >= 0 {
		time.Sleep(time.Second) // of a bubble
		return circmgr.Inside{}, &circmgr.BuildError{Err: errors.New("test"), AtEnd: l.atEnd}
	}
	return l.Circuits.Inside(ctx, need)
}

// Circuits that fail before they are at an introduction point say nothing about it, however many are made at a time.
func TestLostWays(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lose  int64
		atEnd bool
		want  Reason // of the first request
		again Reason // of one after it
	}{
		{"some", maxLost - 1, false, 0, 0},
		{"too many", maxLost, false, IntroFailed, 0},
		{"points that cannot be reached", 1000, true, IntroFailed, NotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &lossy{atEnd: tt.atEnd}
			l.lose.Store(tt.lose)
			for i := range introPoints {
				l.points = append(l.points, ids[i+1].RSA())
			}
			run(t, setup{config: func(c *Config) { l.Circuits, c.Circuits = c.Circuits, l }, service: func(s *service) {
				l.service = s
				s.dir = func(n int, honest []byte) []byte {
					if n > 0 && tt.atEnd {
						return nil
					}
					return honest
				}
			}}, func(b *bed) {
				for _, want := range []Reason{tt.want, tt.again} {
					lease, err := b.open("alice", time.Minute)
					if want == 0 && err == nil {
						b.echo(lease)
					} else {
						b.wantReason(err, want)
					}
				}
			})
		})
	}
}
