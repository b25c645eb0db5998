package relaykeys

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// answers is an operator: what they type, and what they were asked.
type answers struct {
	old   []string
	fresh string
	asked []string
}

var errGone = errors.New("the operator went away")

func (a *answers) Old(int) ([]byte, error) {
	a.asked = append(a.asked, "old")
	if len(a.old) == 0 {
		return nil, errGone
	}
	s := a.old[0]
	a.old = a.old[1:]
	return []byte(s), nil
}

func (a *answers) New() ([]byte, error) {
	a.asked = append(a.asked, "new")
	return []byte(a.fresh), nil
}

func unlocked() (func(), error) { return func() {}, nil }

// keygen runs g in s, and wants no error.
func keygen(t testing.TB, g Keygen, s statefile.Store, now time.Time) time.Time {
	t.Helper()
	if g.Lock == nil {
		g.Lock = unlocked
	}
	if g.Passphrases == nil {
		g.Passphrases = &answers{}
	}
	expires, err := g.Run(Config{}, s, now)
	if err != nil {
		t.Fatal(err)
	}
	return expires
}

// carry copies what machine B needs of what --keygen wrote on machine A.
func carry(t testing.TB, a, b statefile.Store) {
	t.Helper()
	for _, name := range []string{masterPublic, signingKey, signingCert} {
		put(t, b, name, read(t, a, name))
	}
}

// The master key never leaves machine A; the relay on machine B outlives many signing keys.
func TestOfflineMachines(t *testing.T) {
	var a, b statefile.Mem
	expires := keygen(t, Keygen{}, &a, start)
	if want := start.Truncate(time.Hour).Add(time.Hour + 30*day); !expires.Equal(want) {
		t.Errorf("expires %v, want %v", expires, want)
	}
	carry(t, &a, &b)
	k, r := mustLoad(t, Config{OfflineMasterKey: true}, &b, start)
	if len(r.Warnings) != 0 {
		t.Errorf("got %v", r.Warnings)
	}
	ed := k.Current().Ed()
	for round := range 3 {
		now := start.Add(time.Duration(round+1) * 20 * day)
		keygen(t, Keygen{}, &a, now)
		carry(t, &a, &b)
		before := k.Current().Signing().ID()
		r, err := k.Reload(Families{}, now)
		if err != nil || !r.Signing || !r.Link || len(r.Warnings) != 0 {
			t.Fatalf("round %d: got %+v, %v", round, r, err)
		}
		if s := k.Current(); s.Ed() != ed || s.Signing().ID() == before {
			t.Fatalf("round %d: another identity, or the same signing key", round)
		}
	}
	if _, err := b.Read(masterSecret); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the master key came to machine B")
	}
}

// A passphrase comes, changes, and goes.
func TestKeygenPassphrases(t *testing.T) {
	var m statefile.Mem
	op := &answers{fresh: "one"}
	keygen(t, Keygen{Passphrases: op}, &m, start)
	public := read(t, &m, masterPublic)
	if _, err := m.Read(masterSecret); err == nil {
		t.Error("the key is there in plain, too")
	}
	_, _, err := loadAt(Config{}, &m, start)
	if err != nil {
		t.Errorf("the relay does not take the signing key: %v", err)
	}

	op = &answers{old: []string{"wrong", "one"}, fresh: "two"}
	keygen(t, Keygen{Passphrases: op, NewPassphrase: true}, &m, start)
	if want := []string{"old", "old", "new"}; !slices.Equal(op.asked, want) {
		t.Errorf("asked %v, want %v", op.asked, want)
	}
	cert := string(read(t, &m, signingCert))
	g := Keygen{Passphrases: &answers{old: []string{"one"}}, Lock: unlocked}
	if _, err := g.Run(Config{}, &m, start); !errors.Is(err, errGone) {
		t.Errorf("got %v", err)
	}
	if string(read(t, &m, signingCert)) != cert {
		t.Error("a signing key was made without the passphrase")
	}

	op = &answers{old: []string{"two"}}
	keygen(t, Keygen{Passphrases: op, NewPassphrase: true}, &m, start)
	op = &answers{}
	keygen(t, Keygen{Passphrases: op}, &m, start)
	if len(op.asked) != 0 || string(read(t, &m, masterPublic)) != string(public) {
		t.Errorf("asked %v, or another key", op.asked)
	}
}

// A master key in a file of its own.
type memFile struct{ b []byte }

func (f *memFile) Read() ([]byte, error) { return slices.Clone(f.b), nil }
func (f *memFile) Write(b []byte) error  { f.b = slices.Clone(b); return nil }
func (f *memFile) String() string        { return "stick/master" }
func (f *memFile) key() *keyfile.EdSecret {
	k, _ := keyfile.ParseEdSecret(f.b, keyfile.TagMaster)
	return k
}

func TestKeygenMasterFile(t *testing.T) {
	var m statefile.Mem
	file := &memFile{}
	keygen(t, Keygen{Master: file}, &m, start)
	if file.key() == nil {
		t.Fatal("no key in the file")
	}
	k, _ := mustLoad(t, Config{OfflineMasterKey: true}, &m, start)
	if k.Current().Ed() != file.key().ID() {
		t.Error("another key in the file")
	}
	if _, err := m.Read(masterSecret); err == nil {
		t.Error("the key is in the key directory, too")
	}
	keygen(t, Keygen{Master: file, NewPassphrase: true, Passphrases: &answers{fresh: "x"}}, &m, start)
	if file.key() != nil {
		t.Error("the key is not encrypted")
	}
	keygen(t, Keygen{Master: file, Passphrases: &answers{old: []string{"x"}}}, &m, start)

	for name, content := range map[string][]byte{"": nil, "damaged": []byte("x"), "of another relay": read(t, relay(t), masterSecret)} {
		g := Keygen{Master: &memFile{content}, Passphrases: &answers{}, Lock: unlocked}
		if _, err := g.Run(Config{}, &mortal{&m, 0}, start); err == nil || errors.Is(err, errKilled) {
			t.Errorf("file %s: got %v", name, err)
		}
	}
}

// No second master key is made where anything tells of a first.
func TestKeygenMakesNoSecondMaster(t *testing.T) {
	all := []string{masterSecret, masterPublic, signingKey, signingCert}
	for _, left := range [][]string{{masterPublic}, {signingKey}, {signingCert}, {signingKey, signingCert}, {masterPublic, signingKey, signingCert}} {
		m := relay(t)
		for _, name := range all {
			if !slices.Contains(left, name) {
				remove(t, m, name)
			}
		}
		g := Keygen{Passphrases: &answers{}, Lock: unlocked}
		_, err := g.Run(Config{}, &mortal{m, 0}, start)
		wantComplaint(t, left[0], err, ErrMissing, masterSecret, "We needed to load a secret key")
	}
	other := &statefile.Mem{}
	mustLoad(t, Config{}, other, start)
	for _, name := range []string{masterSecret, masterPublic, signingKey} {
		m := relay(t)
		put(t, m, name, read(t, other, name))
		if name == signingKey {
			put(t, m, signingCert, read(t, other, signingCert))
		}
		g := Keygen{Passphrases: &answers{}, Lock: unlocked}
		if _, err := g.Run(Config{}, &mortal{m, 0}, start); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s of another relay: got %v", name, err)
		}
	}
}

// A relay that has locked the directory waits for a signing key, and for no other identity.
func TestKeygenLocked(t *testing.T) {
	locked := func() (func(), error) { return nil, statefile.ErrLocked }
	m := relay(t)
	k, _ := mustLoad(t, Config{}, m, start)
	keygen(t, Keygen{Lock: locked}, m, start.Add(day))
	if r, err := k.Reload(Families{}, start.Add(day)); err != nil || !r.Signing {
		t.Errorf("got %+v, %v", r, err)
	}
	g := Keygen{Passphrases: &answers{}, Lock: locked}
	if _, err := g.Run(Config{}, &mortal{&statefile.Mem{}, 0}, start); !errors.Is(err, statefile.ErrLocked) {
		t.Errorf("got %v", err)
	}

	// One that started and ended while the operator thought about a passphrase has an identity.
	var late statefile.Mem
	g.Lock = func() (func(), error) {
		mustLoad(t, Config{}, &late, start)
		return func() {}, nil
	}
	if _, err := g.Run(Config{}, &late, start); !errors.Is(err, errAppeared) {
		t.Errorf("got %v", err)
	}
	mustLoad(t, Config{}, &late, start)
}

// A kill between any two writes leaves what the next try completes, with the same identity.
func TestKeygenKilled(t *testing.T) {
	killed := func(passphrase string, left int) (done bool) {
		m := &mortal{&statefile.Mem{}, left}
		g := Keygen{Passphrases: &answers{fresh: passphrase}, Lock: unlocked}
		_, err := g.Run(Config{}, m, start)
		public, _ := m.Mem.Read(masterPublic)
		keygen(t, Keygen{Passphrases: &answers{old: []string{passphrase}, fresh: passphrase}}, m.Mem, start)
		if public != nil && string(public) != string(read(t, m.Mem, masterPublic)) {
			t.Errorf("passphrase %q, killed after %d writes: another identity", passphrase, left)
		}
		mustLoad(t, Config{}, m.Mem, start)
		return err == nil
	}
	for left := 0; !killed("", left); left++ {
	}
	killed("x", 1) // to encrypt takes a second
}

func TestReadOnly(t *testing.T) {
	errWhy := errors.New("because")
	m := relay(t)
	cfg := Config{ReadOnly: errWhy}
	mustLoad(t, cfg, &mortal{m, 0}, start)
	k, r, err := loadAt(cfg, &mortal{m, 0}, start.Add(30*day))
	if err != nil || len(r.Warnings) != 1 || !errors.Is(r.Warnings[0], errWhy) || k == nil {
		t.Errorf("a key that is due: got %v, %v", r.Warnings, err)
	}
	for _, name := range []string{"keys/secret_id_key", "keys/secret_onion_key", "keys/secret_onion_key_ntor", masterPublic} {
		m := relay(t)
		remove(t, m, name)
		if _, _, err := loadAt(cfg, &mortal{m, 0}, start); !errors.Is(err, errWhy) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSigningKey(t *testing.T) {
	end := start.Truncate(time.Hour).Add(time.Hour + 30*day)
	for _, tt := range []struct {
		name     string
		change   func(m *statefile.Mem)
		cfg      Config
		now      time.Time
		want     time.Time
		err      error
		warnings int
	}{
		{name: "good", now: start, want: end},
		{name: "no RSA key", change: func(m *statefile.Mem) { remove(t, m, "keys/secret_id_key") }, now: start, want: end},
		{name: "due", now: end.Add(-time.Hour), want: end.Add(30*day - time.Hour)},
		{name: "due, and offline", cfg: Config{OfflineMasterKey: true}, now: end.Add(-time.Hour), want: end, warnings: 1},
		{name: "expired", now: end.Add(time.Hour), want: end.Add(30*day + time.Hour)},
		{name: "expired, and offline", cfg: Config{OfflineMasterKey: true}, now: end.Add(time.Hour), want: end, err: ErrExpired},
		{name: "no certificate", change: func(m *statefile.Mem) { remove(t, m, signingCert) }, now: start, want: end, warnings: 1},
		{name: "no certificate, and offline", change: func(m *statefile.Mem) { remove(t, m, signingCert) }, cfg: Config{OfflineMasterKey: true},
			now: start, err: ErrMissing},
		{name: "no keys", change: func(m *statefile.Mem) { remove(t, m, masterSecret, masterPublic, signingKey, signingCert) }, now: start, err: ErrMissing},
	} {
		m := relay(t)
		if tt.change != nil {
			tt.change(m)
		}
		got, r, err := SigningKey(tt.cfg, m, tt.now)
		if !got.Equal(tt.want) || !errors.Is(err, tt.err) || len(r.Warnings) != tt.warnings {
			t.Errorf("%s: got %v, %v, %v; want %v, %v", tt.name, got, r.Warnings, err, tt.want, tt.err)
		}
	}
}
