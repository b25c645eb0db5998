package relaykeys

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
)

// A Keyring is the keys of a relay, with their files. One goroutine owns it; [Keyring.Current] is for everyone.
type Keyring struct {
	cfg     Config
	files   files
	current atomic.Pointer[Snapshot]

	id     identity
	sign   signing
	links  links
	onion  onion
	family []family
}

// Report tells what changed.
type Report struct {
	NewRelay bool // identities were made
	Signing  bool // another signing key: the descriptor must be made anew
	Link     bool // other keys for links
	Onion    bool // other onion keys are in use
	Rotated  bool // the onion key was replaced: save OnionRotated at once, and publish a descriptor
	Families bool // other family keys: publish a descriptor

	// Warnings are what an operator should know, mostly as a [FileError]; what they are about is tried again.
	Warnings []error
}

// Changed reports whether there is another Snapshot.
func (r *Report) Changed() bool {
	return r.NewRelay || r.Signing || r.Link || r.Onion || r.Rotated || r.Families
}

func (r *Report) warn(err error) {
	if err != nil {
		r.Warnings = append(r.Warnings, err)
	}
}

// Load reads the keys of a relay, makes those that are missing, and does what is due at now. store is the data directory;
// nobody else may use its key files meanwhile (see [statefile.Dir.Lock]). The error is a [FileError].
//
// It takes about a second, most of it to make RSA keys.
func Load(cfg Config, store statefile.Store, now time.Time) (*Keyring, Report, error) {
	cfg = cfg.withDefaults()
	k := &Keyring{cfg: cfg, files: newFiles(store, &cfg)}
	var r Report
	// The identities come first, so that no file is there whose identity is not.
	for _, step := range []func(*Report) error{k.loadRSA, k.loadEd, k.loadFamilies, k.loadOnion} {
		if err := step(&r); err != nil {
			return nil, r, err
		}
	}
	if err := k.advance(&r, now); err != nil {
		return nil, r, err
	}
	if err := k.id.writeFingerprints(k.files, &k.cfg); err != nil {
		return nil, r, err
	}
	return k, r, nil
}

// Current returns the keys of the moment. It is safe for concurrent use.
func (k *Keyring) Current() *Snapshot { return k.current.Load() }

// OnionRotated is when the onion key was made, for LastRotatedOnionKey in the state file.
//
// A kill between a rotation and the saving of that time costs the key before the one that was just made: it is replaced
// once more at the next start. So does one of C tor.
func (k *Keyring) OnionRotated() time.Time { return k.onion.rotated }

// SigningExpires is when the certificate of the signing key ends, as --key-expiration tells.
func (k *Keyring) SigningExpires() time.Time { return k.sign.cert.Expires }

// SetOnionLifetimes sets for how long an onion key is in use, and for how long it is accepted after that. Values out of
// range are clamped: 1 to 90 days, and 1 day to rotation; 0 means the default, 28 and 7 days.
func (k *Keyring) SetOnionLifetimes(rotation, grace time.Duration) {
	rotation, grace = onionLifetimes(rotation, grace)
	changed := rotation != k.cfg.OnionRotation
	k.cfg.OnionRotation, k.cfg.OnionGrace = rotation, grace
	if changed {
		k.publish() // descriptors tell how long the key lives
	}
}

// Next returns when [Keyring.Advance] has something to do. It may be past.
func (k *Keyring) Next(now time.Time) time.Time {
	next := k.linksDue(now)
	for _, t := range []time.Time{k.signingDue(), k.onionDue(), k.graceDue()} {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	return next
}

// Advance does what is due at now. What can wait is a warning in the report, and will be tried again. An error means that
// the relay cannot go on, since its signing key has expired; the identity and all other keys are in order.
func (k *Keyring) Advance(now time.Time) (Report, error) {
	var r Report
	err := k.advance(&r, now)
	return r, err
}

// Reload reads again what an operator may have changed: the signing key with its certificate, and family keys. What is
// wrong with the signing key is a warning, since the one in use is still good; if something is wrong with family keys, the
// old ones stay, and that is an error.
func (k *Keyring) Reload(families Families, now time.Time) (Report, error) {
	var r Report
	r.warn(k.rereadSigning(&r))
	k.cfg.Families = families
	err := k.loadFamilies(&r)
	return r, errors.Join(err, k.advance(&r, now))
}

func (k *Keyring) advance(r *Report, now time.Time) error {
	err := k.advanceSigning(r, now)
	if err != nil && k.Current() == nil {
		return err // the relay will not start: nothing else may change
	}
	k.advanceOnion(r, now)
	if e := k.advanceLinks(r, now); e != nil {
		err = errors.Join(err, e)
	}
	if r.Changed() {
		k.publish()
	}
	return err
}
