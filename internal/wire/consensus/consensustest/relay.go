package consensustest

import (
	"crypto/rsa"
	"crypto/sha256"
	"math"
	"math/big"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// The software of the relays: what they say, and how many of a thousand say it.
var (
	recommended = []string{"0.4.8.16", "0.4.8.17", "0.4.8.21", "0.4.9.8", "0.4.9.9", "0.4.9.10", "0.4.9.11"}

	software = []struct {
		share   int
		version string
		protos  *consensus.Protos
	}{
		{430, "Tor 0.4.9.11", protos49},
		{170, "Tor 0.4.9.10", protos49},
		{60, "Tor 0.4.9.8", protos49},
		{130, "Tor 0.4.8.21", protos48},
		{80, "Tor 0.4.8.17", protos48},
		{60, "Tor 0.4.8.16", protos48},
		{30, "Tor 0.4.8.12", protos48},
		{20, "Tor 0.4.7.16", protos47},
		{15, "Tor 0.5.0.1-alpha-dev", protos49},
		{5, "Tor 0.4.7.13", protos47},
	}
	protos49 = must(consensus.NewProtos("Conflux=1 Cons=1-2 Desc=1-4 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=1-2 " +
		"Link=3-5 LinkAuth=3 Microdesc=1-3 Padding=2 Relay=2-6"))
	protos48 = must(consensus.NewProtos("Conflux=1 Cons=1-2 Desc=1-2 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=1-2 " +
		"Link=1-5 LinkAuth=1,3 Microdesc=1-2 Padding=2 Relay=1-4"))
	protos47 = must(consensus.NewProtos("Cons=1-2 Desc=1-2 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=1-2 Link=1-5 " +
		"LinkAuth=1,3 Microdesc=1-2 Padding=2 Relay=1-4"))
)

// policies are summaries of the exit policies of exits.
var policies = []string{
	"accept 20-23,43,53,79-81,88,110,143,194,220,389,443,464,531,543-544,554,563,636,706,749,873,902-904,981,989-995,1194," +
		"1220,1293,1500,1533,1677,1723,1755,1863,2082-2083,2086-2087,2095-2096,2102-2104,3128,3389,3690,4321,4643,5050,5190," +
		"5222-5223,5228,5900,6660-6669,6679,6697,8000,8008,8074,8080,8087-8088,8332-8333,8443,8888,9418,9999-10000,11371,19294,19638",
	"reject 25,119,135-139,445,563,1214,4661-4666,6346-6429,6699,6881-6999",
	"accept 80,443",
	"reject 25",
	"accept 53,80,443,5222,8080",
}

// reject is the summary of relays that are no exits.
const reject = "reject 1-65535"

// relay makes an entry and its microdescriptor.
func (g *generator) relay() (r consensus.RouterStatus, md []byte) {
	g.fill(r.ID[:])
	r.SetNickname(g.nickname())
	g.addresses(&r)
	g.flags(&r)
	for n, i := g.IntN(1000), 0; ; i++ {
		if n -= software[i].share; n < 0 {
			r.Version, r.Protos = software[i].version, software[i].protos
			break
		}
	}
	// Weights of today are spread over five decades; the median is some 4000.
	r.HasBandwidth, r.Bandwidth = true, uint32(min(math.Exp(8.3+1.7*g.NormFloat64()), 500000))
	if g.IntN(20) == 0 {
		r.Unmeasured, r.Bandwidth = true, min(r.Bandwidth, 20)
	}
	policy := reject
	if r.Flags.Has(consensus.Exit) {
		policy = policies[g.IntN(len(policies))]
	}
	if g.o.Flavor == consensus.NS {
		r.Policy = policy
		r.Published = g.o.ValidAfter.Unix() - int64(g.IntN(18*3600))
		g.fill(r.Digest[:20])
		return r, nil
	}
	r.Published = 2145916800 // 2038-01-01
	md = g.microdesc(&r, policy)
	r.Digest = sha256.Sum256(md)
	return r, md
}

func (g *generator) nickname() string {
	if g.IntN(4) == 0 {
		return "Unnamed"
	}
	name := make([]byte, 4+g.IntN(consensus.MaxNicknameLen-3))
	for i := range name {
		name[i] = byte('a' + g.IntN(26))
	}
	return string(name)
}

func (g *generator) addresses(r *consensus.RouterStatus) {
	g.fill(r.Addr4[:])
	r.Addr4[0] = byte(11 + g.IntN(110)) // not private, not loopback
	r.ORPort = []uint16{9001, 443, 9001, 8080, uint16(1024 + g.IntN(60000))}[g.IntN(5)]
	if g.IntN(100) < 55 {
		r.Addr6 = [16]byte{0x2a, 0x01, 0x04}
		g.fill(r.Addr6[3:8])
		g.fill(r.Addr6[15:])
		if g.IntN(2) == 0 {
			g.fill(r.Addr6[8:])
		}
		r.ORPort6 = r.ORPort
	}
}

func (g *generator) flags(r *consensus.RouterStatus) {
	r.Flags = consensus.Running | consensus.Valid | consensus.V2Dir
	for _, f := range []struct {
		flag    consensus.Flags
		percent int
	}{{consensus.Fast, 92}, {consensus.Stable, 85}, {consensus.Guard, 60}, {consensus.HSDir, 70}, {consensus.Exit, 30},
		{consensus.StaleDesc, 1}, {consensus.MiddleOnly, 1}} {
		if g.IntN(100) < f.percent {
			r.Flags |= f.flag
		}
	}
	if r.Flags.Has(consensus.MiddleOnly) { // consensus method 32
		r.Flags = r.Flags&^(consensus.Exit|consensus.V2Dir|consensus.Guard|consensus.HSDir) | consensus.BadExit
	}
}

// microdesc makes a microdescriptor as of method 35. Its keys are random bytes; the RSA modulus is odd and has 1024 bits.
func (g *generator) microdesc(r *consensus.RouterStatus, policy string) []byte {
	var modulus [128]byte
	g.fill(modulus[:])
	modulus[0] |= 0x80
	modulus[127] |= 1
	var ntor, ed [32]byte
	g.fill(ntor[:])
	g.fill(ed[:])
	e := netdoc.NewEncoder(nil)
	e.Item("onion-key").Object(rsakey.Tag, rsakey.AppendDER(nil, &rsa.PublicKey{N: new(big.Int).SetBytes(modulus[:]), E: 65537}))
	e.Item("ntor-onion-key").Base64(ntor[:])
	if g.IntN(3) == 0 {
		e.Item("family")
		for range 2 + g.IntN(6) {
			var id [20]byte
			g.fill(id[:])
			e.Str("$" + string(netdoc.AppendHex(nil, id[:])))
		}
	}
	if policy != reject {
		e.Item("p").Rest(policy)
	}
	if r.Addr6 != [16]byte{} && policy != reject {
		e.Item("p6").Rest("accept 80,443")
	}
	e.Item("id", "ed25519").Base64(ed[:])
	return must(e.Bytes())
}
