package routerdesc

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/relayname"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// Keys are the private keys of a relay that sign its descriptor.
type Keys struct {
	Identity    *rsa.PrivateKey
	Signing     crypto.Signer    // Ed25519 signing key
	SigningCert *torcert.Cert    // by which the Ed25519 identity certifies it
	Ntor        *ecdh.PrivateKey // X25519
	NtorLife    time.Duration    // how long after publication the onion key is in use
	Onion       *rsa.PrivateKey  // TAP key; nil leaves it out, but authorities want one
	Family      []crypto.Signer  // Ed25519 family keys
}

// familyLife is how long the certificates of family keys last after publication.
const familyLife = 30 * 24 * time.Hour

// Make writes and signs the descriptor of a relay, with the items in the order of C tor (router_dump_router_to_string).
//
// The fields of d that Keys determine are not looked at: identities, onion keys, FamilyIDs, expiry, digest and text.
// Family and FamilyIDs are empty for a bridge.
//
// https://spec.torproject.org/dir-spec/server-descriptor-format.html
func Make(d *Descriptor, k *Keys) ([]byte, error) {
	m, err := newMaker(d, k)
	if err != nil {
		return nil, fmt.Errorf("router descriptor: %w", err)
	}
	m.head()
	for _, write := range []func() error{m.keys, m.tail, m.sign} {
		if err := write(); err != nil {
			return nil, fmt.Errorf("router descriptor: %w", err)
		}
	}
	return m.Bytes()
}

type maker struct {
	*netdoc.Encoder
	d   *Descriptor
	k   *Keys
	rsa [20]byte
	ed  [32]byte
}

func newMaker(d *Descriptor, k *Keys) (*maker, error) {
	c := k.SigningCert
	if c.Type != torcert.TypeIDSigning || c.SignedWith == nil {
		return nil, fmt.Errorf("certificate of the signing key: %w", torcert.ErrType)
	}
	if pub, ok := k.Signing.Public().(ed25519.PublicKey); !ok || c.Key != [32]byte(pub) {
		return nil, fmt.Errorf("certificate of the signing key: %w", ErrMismatch)
	}
	for _, key := range []*rsa.PrivateKey{k.Identity, k.Onion} {
		if key != nil && key.N.BitLen() != rsakey.RelayBits {
			return nil, fmt.Errorf("%d bits: %w", key.N.BitLen(), rsakey.ErrSize)
		}
	}
	if !relayname.IsNickname(d.Nickname) {
		return nil, ErrNickname
	}
	if !d.OR.Addr().Is4() || d.OR.Addr().IsUnspecified() || d.OR.Port() == 0 {
		return nil, fmt.Errorf("%v: %w", d.OR, ErrAddress)
	}
	return &maker{netdoc.NewEncoder(nil), d, k, rsakey.Fingerprint(&k.Identity.PublicKey), *c.SignedWith}, nil
}

// head writes the items up to the digest of the extra-info document.
func (m *maker) head() {
	d := m.d
	m.Item(kwRouter, d.Nickname, d.OR.Addr().String()).Uint(uint64(d.OR.Port())).Uint(0).Uint(uint64(d.DirPort))
	m.Item("identity-ed25519").Object(tagEdCert, m.k.SigningCert.Bytes())
	m.Item("master-key-ed25519").Base64(m.ed[:])
	if d.OR6.IsValid() {
		m.Item("or-address", d.OR6.String())
	}
	m.Item("platform").Rest(d.Platform)
	m.Item("proto").Rest(d.Protocols)
	m.Item("published").Time(d.Published)
	m.Item("fingerprint")
	for i := 0; i < len(m.rsa); i += 2 {
		m.Hex(m.rsa[i : i+2])
	}
	m.Item("uptime").Uint(uint64(max(0, d.Uptime) / time.Second))
	b := d.Bandwidth
	m.Item("bandwidth").Uint(uint64(b.Rate)).Uint(uint64(b.Burst)).Uint(uint64(b.Observed))
	if d.ExtraInfo != [20]byte{} {
		m.Item("extra-info-digest").Hex(d.ExtraInfo[:])
		if d.ExtraInfo256 != [32]byte{} {
			m.Base64(d.ExtraInfo256[:])
		}
	}
	m.flag(d.CachesExtraInfo, "caches-extra-info")
}

func (m *maker) flag(present bool, keyword string) {
	if present {
		m.Item(keyword)
	}
}

// keys writes the older keys, and what they certify.
func (m *maker) keys() error {
	if m.k.Onion != nil {
		m.Item("onion-key").Object(rsakey.Tag, rsakey.AppendDER(nil, &m.k.Onion.PublicKey))
	}
	m.Item("signing-key").Object(rsakey.Tag, rsakey.AppendDER(nil, &m.k.Identity.PublicKey))
	if m.k.Onion != nil {
		sig, err := rsakey.SignRaw(m.k.Onion, onionCrossText(m.rsa, m.ed))
		if err != nil {
			return fmt.Errorf("onion-key-crosscert: %w", err)
		}
		m.Item("onion-key-crosscert").Object(tagCross, sig)
	}
	ntor, err := newNtorSigner(m.k.Ntor)
	if err != nil {
		return fmt.Errorf("ntor-onion-key-crosscert: %w", err)
	}
	cross := torcert.Cert{
		Type: torcert.TypeNtorCross, Expires: m.d.Published.Add(m.k.NtorLife), KeyType: torcert.KeyEd25519, Key: m.ed,
	}
	cert, err := cross.AppendSigned(nil, ntor)
	if err != nil {
		return fmt.Errorf("ntor-onion-key-crosscert: %w", err)
	}
	m.Item("ntor-onion-key-crosscert").Uint(uint64(ntor.sign())).Object(tagEdCert, cert)
	return nil
}

// tail writes what is left before the signatures.
func (m *maker) tail() error {
	d := m.d
	if len(d.Family) > 0 {
		m.Item("family", d.Family...)
	}
	if d.Hibernating {
		m.Item("hibernating", "1")
	}
	m.flag(d.HSDir, "hidden-service-dir")
	for _, key := range m.k.Family {
		cert, err := m.familyCert(key)
		if err != nil {
			return fmt.Errorf("family-cert: %w", err)
		}
		m.Item("family-cert").Object(tagFamily, cert)
	}
	if d.Contact != "" {
		m.Item("contact").Rest(d.Contact)
	}
	if d.BridgeDistribution != "" {
		m.Item("bridge-distribution-request", strings.ToLower(d.BridgeDistribution))
	}
	m.Item("ntor-onion-key", base64.RawStdEncoding.EncodeToString(m.k.Ntor.PublicKey().Bytes()))
	policy := d.Policy.AppendDescriptor(nil)
	if len(policy) == 0 {
		policy = []byte("reject *:*\n")
	}
	m.Document(policy)
	if !d.Policy6.RejectsAll() {
		m.Item("ipv6-policy").Rest(d.Policy6.String())
	}
	m.flag(d.DirCache, "tunnelled-dir-server")
	if !d.OverloadGeneral.IsZero() {
		m.Item("overload-general", "1").Time(d.OverloadGeneral)
	}
	return nil
}

func (m *maker) familyCert(key crypto.Signer) ([]byte, error) {
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, torcert.ErrWrongKey
	}
	c := torcert.Cert{
		Type: torcert.TypeFamily, Expires: m.d.Published.Add(familyLife), KeyType: torcert.KeyEd25519, Key: m.ed,
		SignedWith: (*[32]byte)(pub),
	}
	return c.AppendSigned(nil, key)
}

// sign ends the descriptor.
func (m *maker) sign() error {
	text, err := m.Bytes()
	if err != nil {
		return err
	}
	edSigned := edDigest(append(text, kwEdSig+" "...))
	sig, err := m.k.Signing.Sign(nil, edSigned[:], crypto.Hash(0))
	if err != nil {
		return fmt.Errorf("%s: %w", kwEdSig, err)
	}
	m.Item(kwEdSig).Base64(sig)
	m.Item(kwRSASig)
	if text, err = m.Bytes(); err != nil {
		return err
	}
	digest := sha1.Sum(text)
	if sig, err = rsakey.SignRaw(m.k.Identity, digest[:]); err != nil {
		return fmt.Errorf("%s: %w", kwRSASig, err)
	}
	m.Object(tagRSASign, sig)
	return nil
}
