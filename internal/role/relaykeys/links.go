package relaykeys

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"math/big"
	"time"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// tlsBits is the size of the keys of TLS certificates.
const tlsBits = 2048

// Link is what the relay shows on its links. It must not be changed.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html#CERTS-cells
type Link struct {
	// TLS is the certificate for connections from others, and its key.
	TLS tls.Certificate

	// Responder is the CERTS cell that goes with TLS: certificates of types 1, 2, 4, 5, 7.
	Responder []torcert.Entry

	// Initiator is the CERTS cell for connections to others, of types 2, 4, 6, 7. Auth signs the AUTHENTICATE cell then.
	// A bridge sends neither.
	Initiator []torcert.Entry
	Auth      *keyfile.EdSecret
}

// Format prints nothing of the keys.
func (l Link) Format(f fmt.State, _ rune) { fmt.Fprint(f, "link keys") }

type links struct {
	link    *Link
	made    time.Time // the TLS certificate
	end     time.Time // when the certificate of its key expires
	authEnd time.Time // when the certificate of the authentication key expires
}

// linksDue is when new keys must be made.
func (k *Keyring) linksDue(now time.Time) time.Time {
	l := &k.links
	if l.link == nil || now.Before(l.made.Add(-linkRotation)) { // the clock was wrong
		return time.Time{}
	}
	return earlier(earlier(l.made.Add(linkRotation), l.end.Add(-k.cfg.LinkKeySlop)), k.authDue())
}

func (k *Keyring) authDue() time.Time { return k.links.authEnd.Add(-k.cfg.AuthKeySlop) }

// advanceLinks makes what has become old, or hangs on a signing key that has.
func (k *Keyring) advanceLinks(r *Report, now time.Time) error {
	if now.Before(k.linksDue(now)) && !r.Signing {
		return nil
	}
	link, authEnd, err := k.newLink(r.Signing, now)
	if err != nil {
		return fmt.Errorf("keys for links: %w", err)
	}
	k.links = links{link, now, now.Add(k.cfg.LinkCertLifetime), authEnd}
	r.Link = true
	return nil
}

func (k *Keyring) newLink(newAuth bool, now time.Time) (l *Link, authEnd time.Time, err error) {
	keys := torcert.LinkKeys{
		RSA: k.id.rsa.Key(), Signing: k.sign.key, IDCert: k.sign.cert, LinkLifetime: k.cfg.LinkCertLifetime, AuthLifetime: k.cfg.AuthKeyLifetime,
	}
	tlsKey, err := k.cfg.NewRSA(tlsBits)
	if err != nil {
		return nil, authEnd, err
	}
	lifetime := k.cfg.TLSLifetime
	if lifetime <= 0 {
		if lifetime, err = tlsLifetime(); err != nil {
			return nil, authEnd, err
		}
	}
	der, responder, err := keys.Responder(rand.Reader, tlsKey.Public(), now, lifetime)
	if err != nil {
		return nil, authEnd, err
	}
	l = &Link{TLS: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: tlsKey.Key()}, Responder: responder}
	if old := k.links.link; old != nil && !newAuth && now.Before(k.authDue()) {
		l.Auth, l.Initiator = old.Auth, old.Initiator
		return l, k.links.authEnd, nil
	}
	l.Auth = keyfile.GenerateEd()
	l.Initiator, err = keys.Initiator(rand.Reader, l.Auth.ID(), now)
	return l, now.Add(k.cfg.AuthKeyLifetime), err
}

// tlsLifetime chooses for how long a TLS certificate is said to be valid, as router_initialize_tls_context does: 5 to 364
// days, and half the time a second less, as some authorities' certificates are.
func tlsLifetime() (time.Duration, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(2*360))
	if err != nil {
		return 0, err
	}
	days, second := n.Int64()/2+5, n.Int64()%2
	return time.Duration(days)*day - time.Duration(second)*time.Second, nil
}
