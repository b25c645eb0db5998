package inspect

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/protover"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

func b64(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

// addExpiry tells when something ends, and whether it has.
func (in *Inspector) addExpiry(o *Object, name string, t time.Time) {
	if t.IsZero() {
		return
	}
	o.add(name, t)
	if in.Now.After(t) {
		o.add(name+"-state", "expired "+rough(in.Now.Sub(t))+" ago")
	}
}

// cert reads a key certificate of an authority.
func (in *Inspector) cert(d *Document, text []byte) error {
	c, err := authcert.Parse(text)
	if err != nil {
		return err
	}
	in.addCert(c)
	d.Short.add("identity", hex(c.Fingerprint[:]))
	d.Short.add("signing-key", hex(c.SigningFP[:]))
	d.Short.add("published", c.Published)
	d.Short.add("expires", c.Expires)
	o := &d.Fields
	o.add("identity", hex(c.Fingerprint[:]))
	o.add("identity-bits", c.Identity.N.BitLen())
	o.add("signing-key", hex(c.SigningFP[:]))
	o.add("signing-key-bits", c.Signing.N.BitLen())
	if c.DirPort.IsValid() {
		o.add("dir-address", c.DirPort.String())
	}
	o.add("published", c.Published)
	in.addExpiry(o, "expires", c.Expires)
	if publicAuthorities()[c.Fingerprint] {
		o.add("of-public-network", true)
	}
	d.check("dir-key-certification", OK, "by the identity key")
	d.check("dir-key-crosscert", OK, "by the signing key")
	return nil
}

// router reads a router descriptor. Parse checks every signature in it; there is one more way to fail, which leaves it readable.
func (in *Inspector) router(d *Document, text []byte) error {
	r, err := routerdesc.Parse(text)
	if err != nil {
		return err
	}
	in.addRouter(r)
	d.Short.add("nickname", r.Nickname)
	d.Short.add("fingerprint", hex(r.RSA[:]))
	d.Short.add("address", r.OR.String())
	d.Short.add("published", r.Published)
	d.Short.add("platform", r.Platform)
	o := &d.Fields
	o.add("nickname", r.Nickname)
	o.add("fingerprint", hex(r.RSA[:]))
	o.add("ed25519", b64(r.Ed25519[:]))
	o.add("digest", hex(r.Digest[:]))
	o.add("address", r.OR.String())
	if r.OR6.IsValid() {
		o.add("ipv6", r.OR6.String())
	}
	if r.DirPort != 0 {
		o.add("dirport", int(r.DirPort))
	}
	o.add("published", r.Published)
	in.addExpiry(o, "keys-expire", r.KeysExpire)
	o.add("platform", r.Platform)
	o.add("contact", r.Contact)
	o.add("uptime", rough(r.Uptime))
	o.add("bandwidth-rate", r.Bandwidth.Rate)
	o.add("bandwidth-burst", r.Bandwidth.Burst)
	o.add("bandwidth-observed", r.Bandwidth.Observed)
	o.add("ntor-key", b64(r.Ntor[:]))
	o.add("roles", routerRoles(r))
	o.add("family", r.Family)
	o.add("family-ids", r.FamilyIDs)
	in.addExpiry(o, "family-certificates-expire", r.FamilyExpires)
	o.add("bridge-distribution", r.BridgeDistribution)
	o.add("overload-since", r.OverloadGeneral)
	if r.ExtraInfo != [20]byte{} {
		o.add("extra-info", hex(r.ExtraInfo[:]))
	}
	o.add("protocols", strings.Fields(r.Protocols))
	o.add("policy-ipv4", r.Policy.Summarize(false).String())
	o.add("policy-ipv6", r.Policy6.String())
	d.check("router-signature", OK, "by the RSA identity")
	d.check("identity-ed25519", OK, "signing key by the Ed25519 identity")
	d.check("router-sig-ed25519", OK, "by the signing key")
	d.check("ntor-onion-key-crosscert", OK, "by the ntor key")
	if r.OnionKey != nil {
		d.check("onion-key-crosscert", OK, "by the TAP key")
	}
	if len(r.FamilyIDs) > 0 {
		d.check("family-cert", OK, "by the family keys")
	}
	if set, err := protover.Parse([]byte(r.Protocols)); err != nil {
		d.check("proto", Bad, err.Error())
	} else if missing := set.Missing(&protover.RequiredRelay); !missing.IsEmpty() {
		o.add("lacks-required-protocols", missing.String())
	}
	return nil
}

// routerRoles is what a relay offers beside relaying.
func routerRoles(r *routerdesc.Descriptor) (roles []string) {
	for _, role := range []struct {
		has  bool
		name string
	}{
		{!r.RejectsAll(), "exit"}, {r.DirCache, "directory-cache"}, {r.HSDir, "hsdir"}, {r.CachesExtraInfo, "caches-extra-info"},
		{r.Hibernating, "hibernating"},
	} {
		if role.has {
			roles = append(roles, role.name)
		}
	}
	return roles
}

// extraInfo reads an extra-info document. Its RSA signature takes the router descriptor to check.
func (in *Inspector) extraInfo(d *Document, text []byte) error {
	x, err := extrainfo.Parse(text)
	if err != nil {
		return err
	}
	d.Short.add("nickname", x.Nickname)
	d.Short.add("fingerprint", hex(x.RSA[:]))
	d.Short.add("published", x.Published)
	o := &d.Fields
	o.add("nickname", x.Nickname)
	o.add("fingerprint", hex(x.RSA[:]))
	o.add("ed25519", b64(x.Ed25519[:]))
	o.add("digest", hex(x.Digest[:]))
	o.add("published", x.Published)
	o.add("items", keywords(text))
	d.check("identity-ed25519", OK, "signing key by the Ed25519 identity")
	d.check("router-sig-ed25519", OK, "by the signing key")
	const name = "router-signature"
	r := in.routers[x.Digest]
	switch {
	case r == nil:
		d.check(name, Unknown, "the router descriptor is not at hand")
	default:
		if err := x.Check(r); err != nil {
			d.check(name, Bad, err.Error())
		} else {
			d.check(name, OK, "by the RSA identity; digests as in the router descriptor")
		}
	}
	return nil
}

// keywords lists the keywords of a document, each once.
func keywords(text []byte) (list []string) {
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && strings.Contains(word, "-") && word[0] != '-' && !seen[word] {
			seen[word] = true
			list = append(list, word)
		}
	}
	return list
}

// microdesc reads a microdescriptor. Nothing in it is signed: the consensus names it by its digest.
func (in *Inspector) microdesc(d *Document, text []byte) error {
	m, err := microdesc.Parse(text, nil)
	if err != nil {
		return err
	}
	o := &d.Fields
	o.add("digest", b64(m.Digest[:]))
	if m.HasEd {
		o.add("ed25519", b64(m.Ed25519[:]))
	}
	o.add("ntor-key", b64(m.Ntor[:]))
	if m.Addr6.IsValid() {
		o.add("ipv6", m.Addr6.String())
	}
	d.Short = append(d.Short, *o...)
	o.add("family", strings.Fields(m.Family))
	o.add("family-ids", strings.Fields(m.FamilyIDs))
	o.add("policy-ipv4", m.Policy4.String())
	o.add("policy-ipv6", m.Policy6.String())
	return nil
}

// maxHSDesc bounds descriptors of onion services, in bytes; the default of the network is 50,000.
const maxHSDesc = 1 << 20

// hsDesc reads the outer layer of an onion service's descriptor.
func (in *Inspector) hsDesc(d *Document, text []byte) error {
	// Whether the certificate is still in force is told, not demanded.
	h, err := hsdesc.ParseOuter(text, maxHSDesc, time.Time{})
	if err != nil {
		return err
	}
	blinded := h.BlindedKey()
	d.Short.add("blinded-key", b64(blinded[:]))
	d.Short.add("revision", h.Revision)
	o := &d.Fields
	o.add("blinded-key", b64(blinded[:]))
	o.add("revision", h.Revision)
	o.add("lifetime", rough(h.Lifetime))
	o.add("signing-key", b64(h.Cert.Key[:]))
	in.addExpiry(o, "certificate-expires", h.Cert.Expires)
	o.add("superencrypted", fmt.Sprintf("%d bytes, not looked into", len(h.Superencrypted)))
	d.check("descriptor-signing-key-cert", OK, "by the blinded key")
	d.check("signature", OK, "by the signing key")
	return nil
}
