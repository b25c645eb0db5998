package hsservice

import (
	"errors"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
)

// A version that no directory takes is replaced, since they may have a later one. One directory alone cannot bring that about.
func TestRefusedVersion(t *testing.T) {
	for _, tt := range []struct {
		name   string
		all    bool
		renews bool
	}{{"by all", true, true}, {"by one", false, false}} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, Settings{}, func(b *bed) {
				start := time.Now()
				var one *netdir.Relay
				b.locked(func() {
					b.refuse = func(dir *netdir.Relay) error {
						if one == nil {
							one = dir
						}
						if time.Since(start) < 5*time.Second && tt.all || one.RSA == dir.RSA && !tt.all {
							return errors.New("there is a later one")
						}
						return nil
					}
				})
				time.Sleep(time.Minute)
				b.owner(func() {
					for _, d := range b.s.descs {
						if (d.version > 1) != tt.renews || d.version > 3 {
							t.Errorf("version %d", d.version)
						}
					}
				})
				if ok, text := b.s.Status(); !ok {
					t.Error(text)
				}
			})
		})
	}
}
