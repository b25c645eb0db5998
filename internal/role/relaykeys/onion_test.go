package relaykeys

import (
	"testing"
	"time"
)

func TestOnionRotation(t *testing.T) {
	m := relay(t)
	k, _ := mustLoad(t, Config{OnionRotated: start}, m, start)
	first := k.Current().OnionKeys()[0].Public()
	k.SetOnionLifetimes(10*day, 3*day)
	if due := k.onionDue(); !due.Equal(start.Add(10 * day)) {
		t.Errorf("due at %v", due)
	}
	now := start.Add(10 * day)
	if r := advance(t, k, now.Add(-time.Second)); r.Onion {
		t.Error("too early")
	}
	if r := advance(t, k, now); !r.Onion || !r.Rotated || !k.OnionRotated().Equal(now) {
		t.Errorf("got %+v", r)
	}
	second := k.Current().OnionKeys()[0].Public()
	check := func(name string, s *Snapshot, keys ...[32]byte) {
		t.Helper()
		if len(s.OnionKeys()) != len(keys) {
			t.Errorf("%s: %d keys, want %d", name, len(s.OnionKeys()), len(keys))
		}
		for _, pub := range keys {
			if pair := s.OnionKey(pub); pair == nil || pair.Public() != pub {
				t.Errorf("%s: %x is not accepted", name, pub)
			}
		}
	}
	check("after the rotation", k.Current(), second, first)
	if k.Current().OnionKey([32]byte{1}) != nil {
		t.Error("a key for any public key")
	}
	again, _ := mustLoad(t, Config{OnionRotated: now, OnionGrace: 3 * day}, m, now)
	check("after a restart", again.Current(), second, first)
	advance(t, k, now.Add(3*day-time.Second))
	check("before the end", k.Current(), second, first)
	if r := advance(t, k, now.Add(3*day)); !r.Onion || r.Rotated {
		t.Errorf("got %+v", r)
	}
	check("after the end", k.Current(), second)
	for _, name := range []string{"keys/secret_onion_key_ntor.old", "keys/secret_onion_key.old"} {
		if _, err := m.Read(name); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
}

// A relay that was off for long forgets the previous key at once, and replaces the current one.
func TestOnionAfterLongSleep(t *testing.T) {
	m := relay(t)
	k, _ := mustLoad(t, Config{OnionRotated: start}, m, start)
	advance(t, k, start.Add(28*day))
	key := k.Current().OnionKeys()[0].Public()
	k, r := mustLoad(t, Config{OnionRotated: start.Add(28 * day)}, m, start.Add(100*day))
	if keys := k.Current().OnionKeys(); !r.Rotated || len(keys) != 2 || keys[1].Public() != key {
		t.Errorf("got %+v, %v", r, keys)
	}
}

func TestOnionRotatedUnknown(t *testing.T) {
	for _, at := range []time.Time{{}, start.Add(time.Hour)} {
		k, r := mustLoad(t, Config{OnionRotated: at}, relay(t), start)
		if r.Rotated || !k.OnionRotated().Equal(start) {
			t.Errorf("%v: got %+v, %v", at, r, k.OnionRotated())
		}
	}
}

// A previous key that is damaged does not keep the relay from its work.
func TestOldOnionKeyDamaged(t *testing.T) {
	m := relay(t)
	put(t, m, "keys/secret_onion_key_ntor.old", []byte("damaged"))
	k, r := mustLoad(t, Config{}, m, start)
	if len(r.Warnings) != 1 || len(k.Current().OnionKeys()) != 1 {
		t.Errorf("got %+v", r)
	}
	put(t, m, "keys/secret_onion_key_ntor.old", nil)
	if _, r := mustLoad(t, Config{}, m, start); len(r.Warnings) != 0 {
		t.Errorf("empty file: got %+v", r)
	}
}

// https://spec.torproject.org/param-spec.html
func TestOnionLifetimes(t *testing.T) {
	for _, tt := range []struct{ rotation, grace, wantRotation, wantGrace time.Duration }{
		{0, 0, 28 * day, 7 * day},
		{10 * day, 20 * day, 10 * day, 10 * day},
		{1000 * day, 1, 90 * day, 1 * day},
		{-1, -1, 1 * day, 1 * day},
		{3 * day, 0, 3 * day, 3 * day},
	} {
		if r, g := onionLifetimes(tt.rotation, tt.grace); r != tt.wantRotation || g != tt.wantGrace {
			t.Errorf("%v, %v: got %v, %v", tt.rotation, tt.grace, r, g)
		}
	}
}
