package vote

import (
	"crypto/rsa"
	"crypto/sha1"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/protover"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// Sign writes the vote and signs it with the signing key of its certificate.
func (v *Vote) Sign(key *rsa.PrivateKey) ([]byte, error) {
	body, err := v.appendBody(nil)
	if err != nil {
		return nil, fmt.Errorf("vote: %w", err)
	}
	digest := sha1.Sum(consensus.Signed(body))
	sig := consensus.Signature{Identity: v.Cert.Fingerprint, SigningKey: v.Cert.SigningFP}
	if sig.Signature, err = rsakey.SignRaw(key, digest[:]); err != nil {
		return nil, fmt.Errorf("vote: %w", err)
	}
	e := netdoc.NewEncoder(body)
	e.Item(kwSignature)
	sig.EncodeKeys(e)
	return e.Bytes()
}

// appendBody writes the document up to the signature.
func (v *Vote) appendBody(dst []byte) ([]byte, error) {
	e := netdoc.NewEncoder(dst)
	v.encodeHeader(e)
	flagText := map[Flags]string{}
	for i := range v.Relays {
		r := &v.Relays[i]
		text, ok := flagText[r.Flags]
		if !ok {
			text = v.flagNames(r.Flags)
			flagText[r.Flags] = text
		}
		r.encode(e, text)
	}
	e.Item(kwFooter)
	return e.Bytes()
}

func (v *Vote) flagNames(f Flags) string {
	var names []string
	for i, name := range v.KnownFlags {
		if f>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

func (v *Vote) encodeHeader(e *netdoc.Encoder) {
	e.Item(kwVersion, "3")
	e.Item("vote-status", "vote")
	e.Item("consensus-methods")
	for _, m := range v.Methods {
		e.Uint(uint64(m))
	}
	e.Item("published").Time(v.Published)
	e.Item("valid-after").Time(v.ValidAfter)
	e.Item("fresh-until").Time(v.FreshUntil)
	e.Item("valid-until").Time(v.ValidUntil)
	e.Item("voting-delay").Uint(uint64(v.VoteDelay / time.Second)).Uint(uint64(v.DistDelay / time.Second))
	encodeVersions(e, "client-versions", v.ClientVersions)
	encodeVersions(e, "server-versions", v.ServerVersions)
	for _, p := range v.Packages {
		e.Item("package").Rest(p)
	}
	encodeProtocols(e, "recommended-relay-protocols", &v.RecommendedRelay)
	encodeProtocols(e, "recommended-client-protocols", &v.RecommendedClient)
	encodeProtocols(e, "required-relay-protocols", &v.RequiredRelay)
	encodeProtocols(e, "required-client-protocols", &v.RequiredClient)
	e.Item("known-flags").Rest(strings.Join(v.KnownFlags, " "))
	e.Item("flag-thresholds").Rest(v.FlagThresholds)
	e.Item("params").Rest(strings.TrimPrefix(string(v.Params.AppendTo(nil)), " "))
	if b := v.Bandwidths; b != nil {
		e.Item("bandwidth-file-headers").Rest(b.Headers)
		if b.Digest != [32]byte{} {
			e.Item("bandwidth-file-digest").Keyed(digestPrefix, b.Digest[:])
		}
	}
	v.Source.EncodeItem(e)
	v.SharedRandom.Encode(e)
	if v.LegacyKey != [20]byte{} {
		e.Item("legacy-dir-key").Hex(v.LegacyKey[:])
	}
	e.Document(v.Cert.Text)
}

func encodeVersions(e *netdoc.Encoder, keyword string, list []string) {
	if list != nil {
		e.Item(keyword).Rest(strings.Join(list, ","))
	}
}

func encodeProtocols(e *netdoc.Encoder, keyword string, set *protover.Set) {
	if !set.IsEmpty() {
		e.Item(keyword).Rest(set.String())
	}
}

func (r *Relay) encode(e *netdoc.Encoder, flags string) {
	s := r.Status
	if len(s.Version) > maxVersionLen {
		s.Version = ""
	}
	s.EncodeR(e, consensus.NS)
	s.EncodeFlags(e, flags)
	if s.HasBandwidth {
		e.Item("w").KeyInt("Bandwidth", int64(s.Bandwidth))
		if r.HasMeasured {
			e.KeyInt("Measured", int64(r.Measured))
		} else if r.MeasuredAuthority > 0 {
			e.KeyInt(keyMeasuredAuthority, int64(r.MeasuredAuthority))
		}
		if s.HasGuardFraction {
			e.KeyInt("GuardFraction", int64(s.GuardFraction))
		}
	}
	if s.Policy != "" {
		e.Item("p").Rest(s.Policy)
	}
	if r.HasEd25519 {
		e.Item("id", "ed25519")
		if r.Ed25519 == [32]byte{} {
			e.Str(noEd25519)
		} else {
			e.Base64(r.Ed25519[:])
		}
	}
	if r.Stats != "" {
		e.Item("stats").Rest(r.Stats)
	}
	for i := range r.Microdescs {
		m := &r.Microdescs[i]
		e.Item("m", m.methodList()).Keyed(digestPrefix, m.Digest[:])
	}
}

// methodList is the list of methods, separated by commas.
func (m *Microdesc) methodList() string {
	var list []byte
	for n := range 64 {
		if m.Methods>>n&1 != 0 {
			if len(list) > 0 {
				list = append(list, ',')
			}
			list = strconv.AppendInt(list, int64(n), 10)
		}
	}
	return string(list)
}

// FormatStats is the text of Relay.Stats: the fraction of time that the relay was up, weighted towards the present, how
// long the authority has known it, and the mean time between its failures, in seconds.
func FormatStats(uptime float64, known time.Duration, betweenFailures float64) string {
	return fmt.Sprintf("wfu=%.6f tk=%d mtbf=%.0f", uptime, int64(known/time.Second), betweenFailures)
}
