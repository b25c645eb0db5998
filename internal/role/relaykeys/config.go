package relaykeys

import (
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

const day = 24 * time.Hour

// Config is what an operator may choose. The zero Config works.
type Config struct {
	// Nickname goes into the fingerprint files; C tor's default, "Unnamed", if empty.
	Nickname string

	// Bridge asks for the file "hashed-fingerprint" as well.
	Bridge bool

	// KeyDirectory holds the files of keys/, without that prefix; nil means the directory keys/ of the store.
	KeyDirectory statefile.Store

	// ReadOnly, unless nil, is why no key file may be changed: perhaps another process has locked the directory. What would
	// have to be changed fails with it.
	ReadOnly error

	// OfflineMasterKey says that the Ed25519 master key is kept elsewhere: it is neither read nor made.
	OfflineMasterKey bool

	// SigningKeyLifetime is for how long a signing key is made; 0 means 30 days. SigningKeySlop is how long before its
	// end the next is made; 0 means a day.
	SigningKeyLifetime, SigningKeySlop time.Duration

	// LinkCertLifetime and AuthKeyLifetime are for how long the certificates of link keys and authentication keys are made; 0
	// means two days. LinkKeySlop and AuthKeySlop are how long before their end the next are made; 0 means three hours. Test
	// networks shorten them.
	LinkCertLifetime, AuthKeyLifetime time.Duration
	LinkKeySlop, AuthKeySlop          time.Duration

	// TLSLifetime is for how long TLS certificates are made (SSLKeyLifetime); 0 lets chance choose, as a guard against
	// fingerprints.
	TLSLifetime time.Duration

	// NewRSA makes RSA keys of so many bits; they are random ones if nil. That takes long: simulated networks have theirs ready.
	NewRSA func(bits int) (*keyfile.RSASecret, error)

	// Families are the families that the relay is in.
	Families Families

	// OnionRotated is when the onion key was made, LastRotatedOnionKey in the state file. The zero time, or one in the
	// future, counts as now.
	OnionRotated time.Time

	// OnionRotation and OnionGrace are as for [Keyring.SetOnionLifetimes].
	OnionRotation, OnionGrace time.Duration
}

// Lifetimes of onion keys: defaults and bounds of the consensus parameters onion-key-rotation-days and
// onion-key-grace-period-days.
//
// https://spec.torproject.org/param-spec.html
const (
	DefaultOnionRotation = 28 * day
	DefaultOnionGrace    = 7 * day
	minOnionLife         = 1 * day
	maxOnionRotation     = 90 * day
)

const (
	defaultSigningLifetime = 30 * day
	defaultSigningSlop     = 1 * day

	linkRotation  = 2 * time.Hour // MAX_SSL_KEY_LIFETIME_INTERNAL
	linkLifetime  = 2 * day       // of the certificates of link keys and authentication keys
	linkSlop      = 3 * time.Hour
	writeRetry    = time.Hour
	offlineReread = time.Minute // the operator may have copied a new signing key here
	warnInterval  = time.Hour
)

// withDefaults fills in what is zero, and clamps the rest.
func (c Config) withDefaults() Config {
	if c.Nickname == "" {
		c.Nickname = "Unnamed"
	}
	if c.NewRSA == nil {
		c.NewRSA = keyfile.GenerateRSA
	}
	if c.SigningKeyLifetime <= 0 {
		c.SigningKeyLifetime = defaultSigningLifetime
	}
	if c.SigningKeySlop <= 0 {
		c.SigningKeySlop = defaultSigningSlop
	}
	for _, x := range []*time.Duration{&c.LinkCertLifetime, &c.AuthKeyLifetime} {
		if *x <= 0 {
			*x = linkLifetime
		}
	}
	for _, x := range []*time.Duration{&c.LinkKeySlop, &c.AuthKeySlop} {
		if *x <= 0 {
			*x = linkSlop
		}
	}
	// In test networks keys may live for minutes; a new one must not be due at once.
	c.SigningKeySlop = min(c.SigningKeySlop, c.SigningKeyLifetime/2)
	c.LinkKeySlop = min(c.LinkKeySlop, c.LinkCertLifetime/2)
	c.AuthKeySlop = min(c.AuthKeySlop, c.AuthKeyLifetime/2)
	c.OnionRotation, c.OnionGrace = onionLifetimes(c.OnionRotation, c.OnionGrace)
	return c
}

func onionLifetimes(rotation, grace time.Duration) (time.Duration, time.Duration) {
	if rotation == 0 {
		rotation = DefaultOnionRotation
	}
	if grace == 0 {
		grace = DefaultOnionGrace
	}
	rotation = min(max(rotation, minOnionLife), maxOnionRotation)
	return rotation, min(max(grace, minOnionLife), rotation)
}
