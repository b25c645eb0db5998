package relaykeys

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
)

const (
	masterSecret = "keys/ed25519_master_id_secret_key"
	masterPublic = "keys/ed25519_master_id_public_key"
	masterBox    = "keys/ed25519_master_id_secret_key_encrypted"
	signingKey   = "keys/ed25519_signing_secret_key"
	signingCert  = "keys/ed25519_signing_cert"
)

// wantComplaint checks that err names a file and the way out.
func wantComplaint(t *testing.T, name string, err, want error, file, advice string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", name, err, want)
		return
	}
	if f, ok := errors.AsType[*FileError](err); !ok || f.File != file || !strings.Contains(f.Advice, advice) {
		t.Errorf("%s: got %v, want one about %s and %q", name, err, file, advice)
	}
}

// The life of a relay whose master key is elsewhere.
func TestOfflineMaster(t *testing.T) {
	home := relay(t) // where the master key is
	m := relay(t)
	remove(t, m, masterSecret)
	k, r := mustLoad(t, Config{OfflineMasterKey: true}, m, start)
	if len(r.Warnings) != 0 {
		t.Fatalf("got %v", r.Warnings)
	}
	first := k.Current()
	expires := k.SigningExpires()

	// As long as there is time, a warning once an hour; and the files are looked at once a minute.
	warnings := 0
	for now := expires.Add(-day); now.Before(expires.Add(-22 * time.Hour)); now = k.Next(now) {
		r, err := k.Advance(now)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range r.Warnings {
			warnings++
			wantComplaint(t, "soon", w, ErrExpiresSoon, signingCert, "--keygen")
		}
		if next := k.Next(now); !next.After(now) || next.Sub(now) > offlineReread {
			t.Fatalf("at %v the next deadline is %v", now, next)
		}
	}
	if warnings != 2 {
		t.Errorf("%d warnings, want 2", warnings)
	}

	// Then it is too late; but the operator can still help.
	now := expires.Add(time.Second)
	_, err := k.Advance(now)
	wantComplaint(t, "late", err, ErrExpired, signingCert, "--keygen")
	_, _, err = loadAt(Config{OfflineMasterKey: true}, m, now)
	wantComplaint(t, "late start", err, ErrExpired, signingCert, "--keygen")

	atHome, _ := mustLoad(t, Config{}, home, now)
	for _, name := range []string{signingKey, signingCert} {
		put(t, m, name, read(t, home, name))
	}
	now = k.Next(now)
	r, err = k.Advance(now)
	if err != nil || !r.Signing || !r.Link || len(r.Warnings) != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	s := k.Current()
	if s.Ed() != first.Ed() || s.Signing().ID() != atHome.Current().Signing().ID() {
		t.Error("another key")
	}
	if _, err := m.Read(masterSecret); err == nil {
		t.Error("a master key was made")
	}
}

// A signing key that the operator copied from the wrong place is not taken, and they hear of it.
func TestOfflineWrongCopy(t *testing.T) {
	m, other := relay(t), &statefile.Mem{}
	mustLoad(t, Config{}, other, start.Add(10*day))
	k, _ := mustLoad(t, Config{OfflineMasterKey: true}, m, start)
	before := k.Current().Signing().ID()
	for _, name := range []string{signingKey, signingCert} {
		put(t, m, name, read(t, other, name))
	}
	for _, now := range []time.Time{k.SigningExpires().Add(-day), k.SigningExpires()} {
		r, err := k.Advance(now)
		if all := errors.Join(append(r.Warnings, err)...); !errors.Is(all, ErrMismatch) || k.Current().Signing().ID() != before {
			t.Errorf("at %v: got %v", now, all)
		}
	}
}

// A relay that cannot start changes nothing.
func TestExpiredStartWritesNothing(t *testing.T) {
	m := relay(t)
	remove(t, m, masterSecret)
	now := start.Add(40 * day)
	for range 2 {
		if _, _, err := loadAt(Config{OnionRotated: start}, &mortal{m, 0}, now); !errors.Is(err, ErrExpired) {
			t.Errorf("got %v", err)
		}
	}
}

// The operator may tell the relay, too, before it looks.
func TestReloadSigning(t *testing.T) {
	home, m := relay(t), relay(t)
	k, _ := mustLoad(t, Config{OfflineMasterKey: true}, m, start)
	mustLoad(t, Config{SigningKeyLifetime: 60 * day, SigningKeySlop: 40 * day}, home, start.Add(15*day))
	put(t, m, signingKey, read(t, home, signingKey))
	r, err := k.Reload(Families{}, start.Add(day))
	if err != nil || len(r.Warnings) != 1 || r.Signing {
		t.Errorf("half of it: got %+v, %v", r, err)
	}
	put(t, m, signingCert, read(t, home, signingCert))
	if r, err = k.Reload(Families{}, start.Add(day)); err != nil || !r.Signing || !r.Link || len(r.Warnings) != 0 {
		t.Errorf("all of it: got %+v, %v", r, err)
	}
}

// An offline master key is never read, whatever is in its file.
func TestOfflineMasterIsNotRead(t *testing.T) {
	m := relay(t)
	put(t, m, masterSecret, []byte("rubbish"))
	mustLoad(t, Config{OfflineMasterKey: true}, m, start)
}

// What the files of the Ed25519 keys may look like, and what becomes of it.
func TestEdFiles(t *testing.T) {
	other := &statefile.Mem{}
	mustLoad(t, Config{}, other, start)
	long := start.Add(100 * day)
	for _, tt := range []struct {
		name   string
		change func(m *statefile.Mem)
		cfg    Config
		now    time.Time

		err          error // and then
		file, advice string
		warnings     int
		newSigning   bool
	}{
		{name: "nothing changed", now: start},
		{name: "no public master key", change: func(m *statefile.Mem) { remove(t, m, masterPublic) }, now: start},
		{name: "no master key", change: func(m *statefile.Mem) { remove(t, m, masterPublic, masterSecret) }, now: start},
		{name: "no public master key, offline", change: func(m *statefile.Mem) { remove(t, m, masterPublic, masterSecret) },
			cfg: Config{OfflineMasterKey: true}, now: start},
		{name: "no signing key", change: func(m *statefile.Mem) { remove(t, m, signingKey, signingCert) }, now: start, newSigning: true},
		{name: "no certificate", change: func(m *statefile.Mem) { remove(t, m, signingCert) }, now: start, newSigning: true, warnings: 1},
		{name: "signing key of another relay", change: func(m *statefile.Mem) { put(t, m, signingKey, read(t, other, signingKey)) },
			now: start, newSigning: true, warnings: 1},
		{name: "damaged certificate", change: func(m *statefile.Mem) { put(t, m, signingCert, []byte("x")) }, now: start, newSigning: true, warnings: 1},
		{name: "expired", now: long, newSigning: true},

		{name: "master keys of two relays", change: func(m *statefile.Mem) { put(t, m, masterSecret, read(t, other, masterSecret)) }, now: start,
			err: ErrMismatch, file: masterPublic, advice: "put back"},
		{name: "signing keys of another relay", change: func(m *statefile.Mem) {
			put(t, m, signingKey, read(t, other, signingKey))
			put(t, m, signingCert, read(t, other, signingCert))
		}, now: start, err: ErrMismatch, file: signingCert, advice: "backup"},
		{name: "damaged master key", change: func(m *statefile.Mem) { put(t, m, masterSecret, nil) }, now: start,
			err: nil, file: masterSecret, advice: "backup"},
		{name: "damaged public master key", change: func(m *statefile.Mem) { put(t, m, masterPublic, []byte("x")) }, now: start,
			err: nil, file: masterPublic, advice: "backup"},
		{name: "expired, and no master key", change: func(m *statefile.Mem) { remove(t, m, masterSecret) }, now: long,
			err: ErrExpired, file: signingCert, advice: masterSecret + ", but couldn't find it"},
		{name: "expired, and encrypted", change: func(m *statefile.Mem) {
			remove(t, m, masterSecret)
			put(t, m, masterBox, []byte("box"))
		}, now: long, err: ErrExpired, file: signingCert, advice: "passphrase"},
		{name: "no signing key, offline", change: func(m *statefile.Mem) { remove(t, m, masterSecret, signingKey, signingCert) },
			cfg: Config{OfflineMasterKey: true}, now: start, err: ErrMissing, file: signingKey, advice: "--keygen"},
		{name: "no certificate, offline", change: func(m *statefile.Mem) { remove(t, m, masterSecret, signingCert) },
			cfg: Config{OfflineMasterKey: true}, now: start, err: ErrMissing, file: signingCert, advice: "--keygen"},
		{name: "nothing, offline", change: func(m *statefile.Mem) { remove(t, m, masterSecret, masterPublic, signingKey, signingCert) },
			cfg: Config{OfflineMasterKey: true}, now: start, err: ErrMissing, file: signingKey, advice: "--keygen"},
		{name: "encrypted alone", change: func(m *statefile.Mem) {
			remove(t, m, masterSecret, masterPublic, signingKey, signingCert)
			put(t, m, masterBox, []byte("box"))
		}, now: start, err: ErrMissing, file: masterPublic, advice: "passphrase"},
		// C tor would become another relay here.
		{name: "certificate alone", change: func(m *statefile.Mem) { remove(t, m, masterSecret, masterPublic, signingKey) },
			now: start, err: ErrMissing, file: signingKey, advice: "--keygen"},
	} {
		m := relay(t)
		before := mustSnapshot(t, m, start)
		if tt.change != nil {
			tt.change(m)
		}
		k, r, err := loadAt(tt.cfg, m, tt.now)
		if tt.file != "" {
			if err == nil {
				t.Errorf("%s: no error", tt.name)
				continue
			}
			want := tt.err
			if want == nil {
				want = err
			}
			wantComplaint(t, tt.name, err, want, tt.file, tt.advice)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		s := k.Current()
		if r.NewRelay || s.Ed() != before.Ed() || s.Fingerprint() != before.Fingerprint() {
			t.Errorf("%s: another identity", tt.name)
		}
		if len(r.Warnings) != tt.warnings || r.Signing != tt.newSigning || (s.Signing().ID() != before.Signing().ID()) != tt.newSigning {
			t.Errorf("%s: got %+v", tt.name, r)
		}
		read(t, m, masterPublic)
	}
}
