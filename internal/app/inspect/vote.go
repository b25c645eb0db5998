package inspect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/detachedsig"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// vote reads a vote. Its certificate is in it.
func (in *Inspector) vote(d *Document, text []byte) error {
	d.Kind = "vote"
	v, err := vote.Parse(text, vote.MinIntervalTesting)
	if err != nil {
		return err
	}
	in.addCert(v.Cert)
	d.Short.add("authority", v.Source.Nickname)
	d.Short.add("valid-after", v.ValidAfter)
	d.Short.add("published", v.Published)
	d.Short.add("relays", len(v.Relays))
	o := &d.Fields
	o.add("authority", v.Source.Nickname)
	o.add("identity", hex(v.Source.Identity[:]))
	o.add("address", fmt.Sprintf("%s, directory %d, onion routing %d", v.Source.Addr, v.Source.DirPort, v.Source.ORPort))
	o.add("contact", v.Source.Contact)
	if v.LegacyKey != [20]byte{} {
		o.add("legacy-dir-key", hex(v.LegacyKey[:]))
	}
	o.add("consensus-methods", methods(v.Methods))
	o.add("published", v.Published)
	in.addLifetime(o, v.ValidAfter, v.FreshUntil, v.ValidUntil)
	o.add("voting-delay", seconds(v.VoteDelay, v.DistDelay))
	o.add("vote-digest", hex(v.Source.VoteDigest[:]))
	in.addExpiry(o, "certificate-expires", v.Cert.Expires)
	addVersions(o, v.ClientVersions, v.ServerVersions)
	o.add("known-flags", v.KnownFlags)
	o.add("flag-thresholds", strings.Fields(v.FlagThresholds))
	addProtocols(o, &v.RecommendedClient, &v.RecommendedRelay, &v.RequiredClient, &v.RequiredRelay)
	o.add("params", paramWords(v.Params))
	if b := v.Bandwidths; b != nil {
		o.add("bandwidth-file-headers", strings.Fields(b.Headers))
		if b.Digest != [32]byte{} {
			o.add("bandwidth-file-digest", b64(b.Digest[:]))
		}
	}
	if s := v.SharedRandom; s != nil {
		addSharedRandom(d, s)
	}
	addVoteSums(o, v)
	d.check("certificate", OK, "by the identity key")
	d.check("directory-signature", OK, "by the signing key")
	d.net = func() *network { return networkOfVote(v) }
	return nil
}

// addSharedRandom counts commits, and checks that what is revealed is what was committed to.
//
// https://spec.torproject.org/srv-spec/specification.html
func addSharedRandom(d *Document, s *vote.SharedRandom) {
	revealed, wrong := 0, 0
	for _, c := range s.Commits {
		if c.Reveal == "" {
			continue
		}
		revealed++
		if !c.Opens() {
			wrong++
		}
	}
	d.Fields.add("shared-rand-commits", len(s.Commits))
	d.Fields.add("shared-rand-reveals", revealed)
	addSRV(&d.Fields, s.Previous, s.Current)
	note := ""
	if wrong > 0 {
		note = fmt.Sprintf("%d do not belong to their commits", wrong)
	}
	d.check("shared-rand-reveals", verdict(wrong == 0), note)
}

func methods(list []int) (words []string) {
	for _, m := range list {
		words = append(words, strconv.Itoa(m))
	}
	return words
}

// addVoteSums tells how many relays the authority knows of which kind. Shares are of all of them.
func addVoteSums(o *Object, v *vote.Vote) {
	all, measured, noEd, noMicrodesc := count{name: "all"}, count{name: "measured"}, count{name: "without ed25519"}, count{name: "without microdescriptor"}
	flags := make([]count, len(v.KnownFlags))
	for i := range v.Relays {
		r := &v.Relays[i]
		all.add(&r.Status)
		if r.HasMeasured {
			measured.relays++
			measured.bandwidth += int64(r.Measured)
		}
		if r.Ed25519 == [32]byte{} {
			noEd.add(&r.Status)
		}
		if len(r.Microdescs) == 0 {
			noMicrodesc.add(&r.Status)
		}
		for j := range flags {
			if r.Flags&(1<<j) != 0 {
				flags[j].add(&r.Status)
			}
		}
	}
	t := Table{Columns: []string{"kind", "relays", "share", "kB/s", "kB/s-share"}}
	for _, c := range []count{all, measured, noEd, noMicrodesc} {
		t.row(append([]any{c.name}, c.row(all)...)...)
	}
	o.add("relays", t)
	t = Table{Columns: []string{"flag", "relays", "share", "kB/s", "kB/s-share"}}
	for j, name := range v.KnownFlags {
		t.row(append([]any{name}, flags[j].row(all)...)...)
	}
	o.add("flags", t)
}

func networkOfVote(v *vote.Vote) *network {
	n := &network{kind: "vote", params: paramWords(v.Params)}
	h := &n.header
	h.add("authority", v.Source.Nickname)
	h.add("consensus-methods", strings.Join(methods(v.Methods), " "))
	h.add("published", text(v.Published))
	addCommon(h, v.ValidAfter, v.FreshUntil, v.ValidUntil, v.VoteDelay, v.DistDelay)
	h.add("client-versions", strings.Join(v.ClientVersions, ","))
	h.add("server-versions", strings.Join(v.ServerVersions, ","))
	h.add("known-flags", strings.Join(v.KnownFlags, " "))
	h.add("flag-thresholds", v.FlagThresholds)
	h.add("recommended-client-protocols", v.RecommendedClient.String())
	h.add("recommended-relay-protocols", v.RecommendedRelay.String())
	h.add("required-client-protocols", v.RequiredClient.String())
	h.add("required-relay-protocols", v.RequiredRelay.String())
	if v.Bandwidths != nil {
		h.add("bandwidth-file-headers", v.Bandwidths.Headers)
	}
	if s := v.SharedRandom; s != nil {
		addSRV(h, s.Previous, s.Current)
	}
	for i := range v.Relays {
		r := &v.Relays[i]
		e := newEntry(&r.Status, consensus.NS)
		for j, name := range v.KnownFlags {
			if r.Flags&(1<<j) != 0 {
				e.flags = append(e.flags, name)
			}
		}
		if r.HasMeasured {
			e.numbers.add("measured", int64(r.Measured))
		}
		if r.Ed25519 != [32]byte{} {
			e.rest.add("ed25519", b64(r.Ed25519[:]))
		}
		if len(r.Microdescs) > 0 {
			e.rest.add("microdescriptor", b64(r.Microdescs[len(r.Microdescs)-1].Digest[:]))
		}
		n.relays = append(n.relays, e)
	}
	return n
}

// detached reads detached signatures, and checks them with what is known. The digests that they sign are in the document.
func (in *Inspector) detached(d *Document, text []byte) error {
	s, err := detachedsig.Parse(text)
	if err != nil {
		return err
	}
	o := &d.Fields
	in.addLifetime(o, s.ValidAfter, s.FreshUntil, s.ValidUntil)
	digests := Table{Columns: []string{"flavor", "algorithm", "digest"}}
	for _, g := range s.Digests {
		digests.row(g.Flavor.String(), g.Algorithm.String(), hex(g.Sum))
	}
	o.add("digests", digests)
	signatures := Table{Columns: []string{"flavor", "algorithm", "identity", "signing-key", "signature"}}
	var results []Verdict
	for i := range s.Signatures {
		g := &s.Signatures[i]
		state, result := in.detachedSignature(s, g)
		results = append(results, result)
		signatures.row(g.Flavor.String(), g.Algorithm.String(), hex(g.Identity[:]), hex(g.SigningKey[:]), state)
	}
	o.add("signatures", signatures)
	good, wrong := 0, 0
	for _, r := range results {
		switch r {
		case OK:
			good++
		case Bad:
			wrong++
		}
	}
	result := OK
	switch {
	case wrong > 0:
		result = Bad
	case slices.Contains(results, Unknown):
		result = Unknown
	}
	d.check("signatures", result, fmt.Sprintf("%d of %d are good", good, len(results)))
	return nil
}

func (in *Inspector) detachedSignature(s *detachedsig.Document, g *detachedsig.Signature) (state string, result Verdict) {
	cert := in.certs[consensus.KeyID{Identity: g.Identity, SigningKey: g.SigningKey}]
	digest := s.Digest(g.Flavor, g.Algorithm)
	switch {
	case digest == nil:
		return "NO DIGEST", Bad
	case cert == nil:
		return "no certificate", Unknown
	case rsakey.VerifyRaw(cert.Signing, digest, g.Signature.Signature) != nil:
		return "BAD", Bad
	}
	return "good", OK
}
