package inspect

import (
	"bytes"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/role/dirauth/tally"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// status reads a consensus or vote.
func (in *Inspector) status(d *Document, text []byte) error {
	if isVote(text) {
		return in.vote(d, text)
	}
	d.Kind = "consensus"
	c, err := consensus.Parse(text)
	if err != nil {
		return err
	}
	d.Kind = fmt.Sprintf("consensus, flavor %v", c.Flavor)
	d.Short.add("valid-after", c.ValidAfter)
	d.Short.add("method", c.Method)
	d.Short.add("relays", len(c.Relays))
	o := &d.Fields
	o.add("flavor", c.Flavor.String())
	o.add("consensus-method", c.Method)
	in.addLifetime(o, c.ValidAfter, c.FreshUntil, c.ValidUntil)
	o.add("voting-delay", seconds(c.VoteDelay, c.DistDelay))
	o.add("signed-part-sha3-256", fmt.Sprintf("%X", c.Digests.SHA3))
	addVersions(o, c.ClientVersions, c.ServerVersions)
	o.add("known-flags", c.KnownFlags)
	addProtocols(o, &c.RecommendedClient, &c.RecommendedRelay, &c.RequiredClient, &c.RequiredRelay)
	o.add("params", paramWords(c.Params))
	addSRV(o, c.PreviousSRV, c.CurrentSRV)
	in.addVoters(d, c)
	addSums(o, c)
	addWeights(d, c)
	d.net = func() *network { return networkOf(c) }
	return nil
}

// isVote looks into the header.
func isVote(text []byte) bool {
	header, _, _ := bytes.Cut(text[:min(len(text), 2048)], []byte("\nr "))
	_, after, _ := bytes.Cut(header, []byte("\nvote-status "))
	return bytes.HasPrefix(after, []byte("vote"))
}

func seconds(list ...time.Duration) string {
	var words []string
	for _, d := range list {
		words = append(words, fmt.Sprint(int64(d/time.Second)))
	}
	return strings.Join(words, " ")
}

// addLifetime tells the times of a document, and what they mean at present.
func (in *Inspector) addLifetime(o *Object, after, fresh, until time.Time) {
	o.add("valid-after", after)
	o.add("fresh-until", fresh)
	o.add("valid-until", until)
	now, state := in.Now, "fresh"
	switch {
	case now.Before(after):
		state = "not valid yet, in " + rough(after.Sub(now))
	case now.After(until):
		state = "expired " + rough(now.Sub(until)) + " ago"
	case now.After(fresh):
		state = "valid, but stale for " + rough(now.Sub(fresh))
	}
	o.add("state", state)
}

// rough is a duration for people.
func rough(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}

func addVersions(o *Object, client, server []string) {
	o.add("client-versions", client)
	o.add("server-versions", server)
}

// addProtocols tells what the network wants, and what of it this program has not.
func addProtocols(o *Object, recommendedClient, recommendedRelay, requiredClient, requiredRelay *protover.Set) {
	have := protover.Supported
	var missing []string
	for _, p := range []struct {
		name string
		set  *protover.Set
	}{
		{"recommended-client-protocols", recommendedClient}, {"recommended-relay-protocols", recommendedRelay},
		{"required-client-protocols", requiredClient}, {"required-relay-protocols", requiredRelay},
	} {
		o.add(p.name, strings.Fields(p.set.String()))
		if lacking := have.Missing(p.set); !lacking.IsEmpty() {
			missing = append(missing, p.name+":", lacking.String())
		}
	}
	o.add("unknown-to-this-program", missing)
}

func paramWords(list params.List) (words []string) {
	for _, v := range list {
		words = append(words, fmt.Sprintf("%s=%d", v.Name, v.Value))
	}
	return words
}

func addSRV(o *Object, previous, current *consensus.SRV) {
	for _, v := range []struct {
		name string
		srv  *consensus.SRV
	}{{"shared-rand-previous-value", previous}, {"shared-rand-current-value", current}} {
		if v.srv != nil {
			o.add(v.name, fmt.Sprintf("%X, %d reveals", v.srv.Value, v.srv.Reveals))
		}
	}
}

// addVoters lists the authorities and checks their signatures with the certificates that were in force meanwhile.
func (in *Inspector) addVoters(d *Document, c *consensus.Consensus) {
	ring := consensus.Keyring{Key: func(id consensus.KeyID) *rsa.PublicKey {
		cert := in.certs[id]
		if cert == nil || cert.Expires.Before(c.ValidAfter) || cert.Published.After(c.ValidUntil) {
			return nil
		}
		return cert.Signing
	}}
	for i := range c.Sources {
		if !c.Sources[i].Legacy {
			ring.Trusted = append(ring.Trusted, c.Sources[i].Identity)
		}
	}
	v := c.Verify(&ring)
	missing := func(id [20]byte) bool {
		return slices.ContainsFunc(v.Missing, func(k consensus.KeyID) bool { return k.Identity == id })
	}
	public := publicAuthorities()
	known := 0
	t := Table{Columns: []string{"nickname", "identity", "address", "dir", "or", "signature", "contact", "vote-digest"}}
	for i := range c.Sources {
		s := &c.Sources[i]
		if s.Legacy {
			t.row(s.Nickname, hex(s.Identity[:]), s.Addr.String(), int(s.DirPort), int(s.ORPort), "legacy identity", nil, nil)
			continue
		}
		state := "none"
		switch {
		case slices.Contains(v.Good, s.Identity):
			state = "good"
		case slices.Contains(v.Bad, s.Identity):
			state = "BAD"
		case missing(s.Identity):
			state = "no certificate"
		}
		if public[s.Identity] {
			known++
		}
		t.row(s.Nickname, hex(s.Identity[:]), s.Addr.String(), int(s.DirPort), int(s.ORPort), state, s.Contact, hex(s.VoteDigest[:]))
	}
	d.Fields.add("voters", t)
	d.Fields.add("of-public-network", fmt.Sprintf("%d of %d voters", known, len(ring.Trusted)))
	result := map[consensus.Result]Verdict{consensus.Good: OK, consensus.Bad: Bad, consensus.NeedCerts: Unknown}[v.Result]
	if len(v.Bad) > 0 {
		result = Bad
	}
	note := fmt.Sprintf("%d of %d voters, %d are needed", len(v.Good), len(ring.Trusted), v.Needed)
	if n := len(v.Missing); n > 0 {
		note += fmt.Sprintf("; %d certificates are missing", n)
	}
	if n := len(v.Bad); n > 0 {
		note += fmt.Sprintf("; %d signatures are wrong", n)
	}
	d.check("signatures", result, note)
}

func publicAuthorities() map[[20]byte]bool {
	ids := map[[20]byte]bool{}
	list, _ := trusteddirs.Default()
	for _, a := range list {
		if a.Votes() {
			ids[a.V3Ident] = true
		}
	}
	return ids
}

func hex(b []byte) string { return fmt.Sprintf("%X", b) }

// addWeights computes the bandwidth-weights anew.
func addWeights(d *Document, c *consensus.Consensus) {
	const name = "bandwidth-weights"
	d.Fields.add(name, paramWords(c.Weights))
	want, err := tally.Weights(c)
	switch {
	case err != nil && len(c.Weights) == 0:
		d.check(name, OK, "none: "+err.Error())
	case err != nil:
		d.check(name, Bad, "there should be none: "+err.Error())
	case slices.Equal(want, c.Weights):
		d.check(name, OK, "as computed from the relays")
	default:
		d.check(name, Bad, "from the relays follows "+strings.Join(differing(want, c.Weights), " "))
	}
}

// differing lists the values of want that are not in got.
func differing(want, got params.List) (words []string) {
	for _, v := range want {
		if has, ok := got.Lookup(v.Name); !ok || has != v.Value {
			words = append(words, fmt.Sprintf("%s=%d", v.Name, v.Value))
		}
	}
	return words
}
