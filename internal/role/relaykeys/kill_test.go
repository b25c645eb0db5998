package relaykeys

import (
	"errors"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// Whenever a new relay dies, the next start has the identity that the files had by then.
func TestKilledAtFirstStart(t *testing.T) {
	died := 0
	for n := 0; ; n++ {
		m := &mortal{&statefile.Mem{}, n}
		_, _, err := loadAt(Config{}, m, start)
		if err == nil {
			break
		}
		died++
		if !errors.Is(err, errKilled) {
			t.Fatalf("after %d changes: %v", n, err)
		}
		var rsa *keyfile.RSASecret
		var ed *keyfile.EdSecret
		if b, err := m.Read("keys/secret_id_key"); err == nil {
			rsa, _ = parseRelayRSA(b)
		}
		if b, err := m.Read("keys/ed25519_master_id_secret_key"); err == nil {
			ed, _ = parseMasterSecret(b)
		}
		s := mustSnapshot(t, m.Mem, start)
		if rsa != nil && s.Fingerprint() != rsa.Fingerprint() || ed != nil && s.Ed() != ed.ID() {
			t.Errorf("after %d changes: another identity", n)
		}
		if again := mustSnapshot(t, m.Mem, start); again.Fingerprint() != s.Fingerprint() || again.Ed() != s.Ed() || again.Signing().ID() != s.Signing().ID() {
			t.Errorf("after %d changes: the second start differs from the first", n)
		}
	}
	if died < len(allFiles) {
		t.Errorf("died %d times", died)
	}
}

// Whenever a relay dies while it replaces keys, the next start has the same identity, and still accepts circuits with the
// onion key of its last descriptor.
func TestKilledAtRotation(t *testing.T) {
	for _, tt := range []struct {
		name string
		at   time.Duration
		died int // changes there are to make
	}{
		{"onion keys", 28 * day, 4},
		{"signing key", 29*day + time.Hour, 6},
		{"old onion keys", 35 * day, 2},
	} {
		begin := func(t *testing.T) (*mortal, *Keyring) {
			m := &mortal{relay(t), 100}
			k, _ := mustLoad(t, Config{OnionRotated: start}, m, start)
			if tt.name == "old onion keys" {
				advance(t, k, start.Add(28*day))
				advance(t, k, start.Add(30*day))
			}
			return m, k
		}
		died := 0
		for n := 0; ; n++ {
			m, k := begin(t)
			m.left = n
			now := start.Add(tt.at)
			r, err := k.Advance(now)
			if err != nil {
				t.Fatalf("%s, after %d changes: %v", tt.name, n, err)
			}
			if len(r.Warnings) == 0 {
				break
			}
			died++
			for _, w := range r.Warnings {
				if _, ok := errors.AsType[*FileError](w); !ok || !errors.Is(w, errKilled) {
					t.Errorf("%s, after %d changes: %v", tt.name, n, w)
				}
			}
			// The process that lives on has good keys, and tries again.
			if next := k.Next(now); !next.After(now) || next.After(now.Add(writeRetry)) {
				t.Errorf("%s, after %d changes: tries again at %v", tt.name, n, next)
			}
			m.left = 100
			if r := advance(t, k, now.Add(writeRetry)); !r.Changed() && tt.name != "old onion keys" {
				t.Errorf("%s, after %d changes: does not try again", tt.name, n)
			}

			// So does a new one.
			m, k = begin(t)
			before, rotated := k.Current(), k.OnionRotated()
			m.left = n
			_, _ = k.Advance(now)
			again, _ := mustLoad(t, Config{OnionRotated: rotated}, m.Mem, now)
			s := again.Current()
			if s.Fingerprint() != before.Fingerprint() || s.Ed() != before.Ed() {
				t.Errorf("%s, after %d changes: another identity", tt.name, n)
			}
			if s.OnionKey(before.OnionKeys()[0].Public()) == nil {
				t.Errorf("%s, after %d changes: the onion key is lost", tt.name, n)
			}
		}
		if died < tt.died {
			t.Errorf("%s: died %d times, want %d at least", tt.name, died, tt.died)
		}
	}
}
