// Package netdirtest makes views of small networks for tests.
package netdirtest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// Flags that most relays have, and what those have that guards are chosen from.
const (
	Plain = consensus.Running | consensus.Valid | consensus.Fast | consensus.Stable | consensus.V2Dir
	Guard = Plain | consensus.Guard
	Exit  = Plain | consensus.Exit
)

// A Relay is a relay of a test network. Only N must be set.
type Relay struct {
	N         int             // its number, which is its identity: see ID
	Nickname  string          // "relay" and the number if empty
	Flags     consensus.Flags // Plain if zero
	Bandwidth uint32          // 1000 if zero
	Addr      string          // address and port; 10.N.0.1:9001 if empty, "none" for none
	Addr6     string          // none if empty
	Policy    string          // "accept 80,443" for exits if empty, else nothing
	Policy6   string          // nothing if empty
	Family    string          // what it lists, where "#7" stands for the fingerprint of relay 7
	FamilyIDs string
	Protocols string // those of C tor 0.4.9 if empty

	GuardFraction int // percent, if not zero
	NoMicrodesc   bool
}

// A Network is what makes a view.
type Network struct {
	Params     string    // such as "use-family-ids=0"
	Weights    string    // bandwidth-weights; each 10000 if empty, "none" for none
	ValidAfter time.Time // 2026-01-01 00:00:00 if zero; fresh for one hour, valid for three
	Relays     []Relay
}

// ID is the RSA identity of relay n.
func ID(n int) [20]byte { return [20]byte{byte(n >> 8), byte(n), 18: byte(n >> 8), 19: byte(n)} }

// Ed is the Ed25519 identity of relay n.
func Ed(n int) [32]byte { return [32]byte{0: 0xed, 1: byte(255 - n), 30: byte(n >> 8), 31: byte(n)} }

// N is the reverse of ID.
func N(r *netdir.Relay) int { return int(r.RSA[0])<<8 | int(r.RSA[1]) }

const (
	protocols = "Conflux=1 Cons=1-2 Desc=1-4 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=1-2 Link=3-5 LinkAuth=3 " +
		"Microdesc=1-3 Padding=2 Relay=2-6"
	evenWeights = "Wbd=10000 Wbe=10000 Wbg=10000 Wbm=10000 Wdb=10000 Web=10000 Wed=10000 Wee=10000 Weg=10000 Wem=10000 " +
		"Wgb=10000 Wgd=10000 Wgg=10000 Wgm=10000 Wmb=10000 Wmd=10000 Wme=10000 Wmg=10000 Wmm=10000"
)

// View returns the view with the microdescriptors of all relays but those that have NoMicrodesc.
func (n *Network) View() *netdir.View {
	mds := n.Microdescs()
	return netdir.New(n.Consensus(), func(d [32]byte) *microdesc.Microdesc { return mds[d] })
}

// Consensus returns the consensus alone.
func (n *Network) Consensus() *consensus.Consensus {
	from := n.ValidAfter
	if from.IsZero() {
		from = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	c := &consensus.Consensus{
		Flavor: consensus.Microdesc, Method: 35,
		ValidAfter: from, FreshUntil: from.Add(time.Hour), ValidUntil: from.Add(3 * time.Hour),
		Params: must(params.ParseUnsorted(netdoc.Args(n.Params))),
	}
	if n.Weights != "none" {
		c.Weights = must(params.ParseUnsorted(netdoc.Args(cmp.Or(n.Weights, evenWeights))))
	}
	for i := range n.Relays {
		c.Relays = append(c.Relays, n.Relays[i].status())
	}
	slices.SortFunc(c.Relays, func(a, b consensus.RouterStatus) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return c
}

// Microdescs returns the microdescriptors by digest, without those of relays that have NoMicrodesc.
func (n *Network) Microdescs() map[[32]byte]*microdesc.Microdesc {
	mds := map[[32]byte]*microdesc.Microdesc{}
	for i := range n.Relays {
		if r := &n.Relays[i]; !r.NoMicrodesc {
			md := must(microdesc.Parse(r.text(), nil))
			mds[md.Digest] = &md
		}
	}
	return mds
}

func (r *Relay) status() consensus.RouterStatus {
	s := consensus.RouterStatus{
		ID: ID(r.N), Digest: sha256.Sum256(r.text()), Flags: cmp.Or(r.Flags, Plain),
		HasBandwidth: true, Bandwidth: cmp.Or(r.Bandwidth, 1000),
		GuardFraction: uint8(r.GuardFraction), HasGuardFraction: r.GuardFraction != 0,
		Protos: must(consensus.NewProtos(cmp.Or(r.Protocols, protocols))),
	}
	if !s.SetNickname(cmp.Or(r.Nickname, fmt.Sprintf("relay%d", r.N))) {
		panic("netdirtest: nickname " + r.Nickname)
	}
	if r.Addr != "none" {
		a := netip.MustParseAddrPort(cmp.Or(r.Addr, fmt.Sprintf("10.%d.%d.1:9001", r.N%256, r.N/256)))
		s.Addr4, s.ORPort = a.Addr().As4(), a.Port()
	}
	if r.Addr6 != "" {
		a := netip.MustParseAddrPort(r.Addr6)
		s.Addr6, s.ORPort6 = a.Addr().As16(), a.Port()
	}
	return s
}

// text is the microdescriptor.
func (r *Relay) text() []byte {
	key := Ed(r.N + 1000)
	e := netdoc.NewEncoder(nil)
	e.Item("onion-key")
	e.Item("ntor-onion-key").Base64(key[:])
	if r.Family != "" {
		e.Item("family")
		for word := range strings.FieldsSeq(r.Family) {
			var n int
			if _, err := fmt.Sscanf(word, "#%d", &n); err == nil {
				word = fmt.Sprintf("$%X", ID(n))
			}
			e.Str(word)
		}
	}
	if r.FamilyIDs != "" {
		e.Item("family-ids").Rest(r.FamilyIDs)
	}
	policy := r.Policy
	if policy == "" && r.Flags.Has(consensus.Exit) {
		policy = "accept 80,443"
	}
	if policy != "" {
		e.Item("p").Rest(policy)
	}
	if r.Policy6 != "" {
		e.Item("p6").Rest(r.Policy6)
	}
	ed := Ed(r.N)
	e.Item("id", "ed25519", base64.RawStdEncoding.EncodeToString(ed[:]))
	return must(e.Bytes())
}

// Large is a network like the public one, and what finds its microdescriptors.
func Large(relays int) (*consensus.Consensus, netdir.Lookup) {
	n := consensustest.New(consensustest.Options{Relays: relays, Seed: 1, Flavor: consensus.Microdesc})
	in := microdesc.NewInterner()
	mds := make(map[[32]byte]*microdesc.Microdesc, len(n.Microdescs))
	for _, text := range n.Microdescs {
		md := must(microdesc.Parse(text, in))
		mds[md.Digest] = &md
	}
	return n.Consensus, func(d [32]byte) *microdesc.Microdesc { return mds[d] }
}

func must[T any](v T, err error) T {
	if err != nil {
		panic("netdirtest: " + err.Error())
	}
	return v
}
