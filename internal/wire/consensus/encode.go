package consensus

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// AppendTo writes the whole document with its signatures.
func (c *Consensus) AppendTo(dst []byte) ([]byte, error) {
	dst, err := c.AppendBody(dst)
	if err != nil {
		return dst, err
	}
	return c.AppendSignatures(dst)
}

// AppendBody writes the document up to the first signature. What is signed is this and "directory-signature " after it
// (see Signed).
func (c *Consensus) AppendBody(dst []byte) ([]byte, error) {
	text := map[Flags]string{}
	return c.AppendBodyFlags(dst, func(i int) string {
		f := c.Relays[i].Flags
		s, ok := text[f]
		if !ok {
			s = strings.Join(c.Names(f), " ")
			text[f] = s
		}
		return s
	})
}

// AppendBodyFlags is AppendBody with the flags of each entry told by a function, names separated by spaces. Authorities
// use it: they must write whatever flags the votes know, be they more than Flags can hold.
func (c *Consensus) AppendBodyFlags(dst []byte, flags func(i int) string) ([]byte, error) {
	e := netdoc.NewEncoder(dst)
	c.encodeHeader(e)
	for i := range c.Sources {
		c.Sources[i].encode(e)
	}
	for i := range c.Relays {
		c.Relays[i].encode(e, c.Flavor, flags(i))
	}
	e.Item("directory-footer")
	if c.Weights != nil {
		encodeParams(e, "bandwidth-weights", c.Weights)
	}
	return e.Bytes()
}

// Signed returns what signatures of a body sign: the body and the keyword and space of the first of them.
func Signed(body []byte) []byte {
	return append(slices.Clip(body), signatureKeyword+" "...)
}

// AppendSignatures writes the signatures alone, in their order.
func (c *Consensus) AppendSignatures(dst []byte) ([]byte, error) {
	e := netdoc.NewEncoder(dst)
	for i := range c.Signatures {
		c.Signatures[i].encode(e)
	}
	return e.Bytes()
}

// encode writes one item. SHA-1 has no name in documents that C tor writes.
func (s *Signature) encode(e *netdoc.Encoder) {
	e.Item(signatureKeyword)
	if s.Algorithm != SHA1 {
		e.Str(s.Algorithm.String())
	}
	s.EncodeKeys(e)
}

// EncodeKeys writes what ParseKeys reads.
func (s *Signature) EncodeKeys(e *netdoc.Encoder) {
	e.Hex(s.Identity[:]).Hex(s.SigningKey[:]).Object("SIGNATURE", s.Signature)
}

func (c *Consensus) encodeHeader(e *netdoc.Encoder) {
	e.Item("network-status-version", "3")
	if c.Flavor != NS {
		e.Str(c.Flavor.String())
	}
	e.Item("vote-status", "consensus")
	e.Item("consensus-method").Uint(uint64(c.Method))
	e.Item("valid-after").Time(c.ValidAfter)
	e.Item("fresh-until").Time(c.FreshUntil)
	e.Item("valid-until").Time(c.ValidUntil)
	e.Item("voting-delay").Uint(uint64(c.VoteDelay / time.Second)).Uint(uint64(c.DistDelay / time.Second))
	e.Item("client-versions").Rest(strings.Join(c.ClientVersions, ","))
	e.Item("server-versions").Rest(strings.Join(c.ServerVersions, ","))
	for _, p := range c.Packages {
		e.Item("package").Rest(p)
	}
	e.Item("known-flags").Rest(strings.Join(c.KnownFlags, " "))
	e.Item("recommended-client-protocols").Rest(c.RecommendedClient.String())
	e.Item("recommended-relay-protocols").Rest(c.RecommendedRelay.String())
	e.Item("required-client-protocols").Rest(c.RequiredClient.String())
	e.Item("required-relay-protocols").Rest(c.RequiredRelay.String())
	if len(c.Params) > 0 {
		encodeParams(e, "params", c.Params)
	}
	EncodeSRVs(e, c.PreviousSRV, c.CurrentSRV)
}

// EncodeSRVs writes the items of the shared random values that are not nil.
func EncodeSRVs(e *netdoc.Encoder, previous, current *SRV) {
	encodeSRV(e, "shared-rand-previous-value", previous)
	encodeSRV(e, "shared-rand-current-value", current)
}

func encodeParams(e *netdoc.Encoder, keyword string, list params.List) {
	e.Item(keyword)
	for _, v := range list {
		e.KeyInt(v.Name, int64(v.Value))
	}
}

func encodeSRV(e *netdoc.Encoder, keyword string, v *SRV) {
	if v != nil {
		e.Item(keyword).Uint(v.Reveals).PaddedBase64(v.Value[:])
	}
}

func (d *DirSource) encode(e *netdoc.Encoder) {
	d.EncodeItem(e)
	if !d.Legacy {
		e.Item("vote-digest").Hex(d.VoteDigest[:])
	}
}

// EncodeItem writes the dir-source item, and unless it is legacy the contact after it.
func (d *DirSource) EncodeItem(e *netdoc.Encoder) {
	e.Item("dir-source", d.Nickname).Hex(d.Identity[:]).Str(d.Hostname).Str(d.Addr.String()).
		Uint(uint64(d.DirPort)).Uint(uint64(d.ORPort))
	if !d.Legacy {
		e.Item("contact").Rest(d.Contact)
	}
}

// EncodeR writes the r line and, if there is an IPv6 address, the a line.
func (r *RouterStatus) EncodeR(e *netdoc.Encoder, flavor Flavor) {
	e.Item("r", r.Nickname()).Base64(r.ID[:])
	if flavor == NS {
		e.Base64(r.Digest[:20])
	}
	e.Time(r.PublishedTime()).Str(netip.AddrFrom4(r.Addr4).String()).Uint(uint64(r.ORPort)).Uint(uint64(r.DirPort))
	if r.Addr6 != [16]byte{} {
		e.Item("a", netip.AddrPortFrom(netip.AddrFrom16(r.Addr6), r.ORPort6).String())
	}
}

// EncodeFlags writes the s line, the v line if there is a version, and the pr line.
func (r *RouterStatus) EncodeFlags(e *netdoc.Encoder, flags string) {
	e.Item("s")
	if flags != "" {
		e.Rest(flags)
	}
	if r.Version != "" {
		e.Item("v").Rest(r.Version)
	}
	e.Item("pr").Rest(r.Protos.Text)
}

func (r *RouterStatus) encode(e *netdoc.Encoder, flavor Flavor, flags string) {
	r.EncodeR(e, flavor)
	if flavor == Microdesc && r.Digest != [32]byte{} {
		e.Item("m").Base64(r.Digest[:])
	}
	r.EncodeFlags(e, flags)
	if r.HasBandwidth {
		e.Item("w").KeyInt("Bandwidth", int64(r.Bandwidth))
		if r.Unmeasured {
			e.Str("Unmeasured=1")
		}
		if r.HasGuardFraction {
			e.KeyInt("GuardFraction", int64(r.GuardFraction))
		}
	}
	if r.Policy != "" {
		e.Item("p").Rest(r.Policy)
	}
}
