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
	e := netdoc.NewEncoder(dst)
	c.encodeHeader(e)
	for i := range c.Sources {
		c.Sources[i].encode(e)
	}
	enc := relayEncoder{e: e, c: c, flagText: map[Flags]string{}}
	for i := range c.Relays {
		enc.encode(&c.Relays[i])
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
	encodeSRV(e, "shared-rand-previous-value", c.PreviousSRV)
	encodeSRV(e, "shared-rand-current-value", c.CurrentSRV)
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
	e.Item("dir-source", d.Nickname).Hex(d.Identity[:]).Str(d.Hostname).Str(d.Addr.String()).
		Uint(uint64(d.DirPort)).Uint(uint64(d.ORPort))
	if !d.Legacy {
		e.Item("contact").Rest(d.Contact)
		e.Item("vote-digest").Hex(d.VoteDigest[:])
	}
}

// A relayEncoder writes entries.
type relayEncoder struct {
	e        *netdoc.Encoder
	c        *Consensus
	flagText map[Flags]string // of s lines
}

func (w *relayEncoder) encode(r *RouterStatus) {
	e, microdesc := w.e, w.c.Flavor == Microdesc
	e.Item("r", r.Nickname()).Base64(r.ID[:])
	if !microdesc {
		e.Base64(r.Digest[:20])
	}
	e.Time(r.PublishedTime()).Str(netip.AddrFrom4(r.Addr4).String()).Uint(uint64(r.ORPort)).Uint(uint64(r.DirPort))
	if r.Addr6 != [16]byte{} {
		e.Item("a", netip.AddrPortFrom(netip.AddrFrom16(r.Addr6), r.ORPort6).String())
	}
	if microdesc && r.Digest != [32]byte{} {
		e.Item("m").Base64(r.Digest[:])
	}
	e.Item("s")
	if text := w.flags(r.Flags); text != "" {
		e.Rest(text)
	}
	if r.Version != "" {
		e.Item("v").Rest(r.Version)
	}
	e.Item("pr").Rest(r.Protos.Text)
	if r.HasBandwidth {
		w.bandwidth(r)
	}
	if r.Policy != "" {
		e.Item("p").Rest(r.Policy)
	}
}

func (w *relayEncoder) bandwidth(r *RouterStatus) {
	e := w.e.Item("w").KeyInt("Bandwidth", int64(r.Bandwidth))
	if r.Unmeasured {
		e.Str("Unmeasured=1")
	}
	if r.HasGuardFraction {
		e.KeyInt("GuardFraction", int64(r.GuardFraction))
	}
}

func (w *relayEncoder) flags(f Flags) string {
	text, ok := w.flagText[f]
	if !ok {
		text = strings.Join(w.c.Names(f), " ")
		w.flagText[f] = text
	}
	return text
}
