package consensus_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"net/netip"
	"os"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
)

// The documents in testdata were made by the authorities of a test network of C tor 0.4.9.6.
func readFile(t testing.TB, name string) []byte {
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t testing.TB, doc []byte) *consensus.Consensus {
	t.Helper()
	c, err := consensus.Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// https://spec.torproject.org/dir-spec/consensus-formats.html
func TestParse(t *testing.T) {
	c := parse(t, readFile(t, "microdesc.txt"))
	if c.Flavor != consensus.Microdesc || c.Method != 35 || len(c.Sources) != 4 || len(c.Relays) != 7 || len(c.Signatures) != 4 {
		t.Fatalf("%v, method %d, %d sources, %d relays, %d signatures", c.Flavor, c.Method, len(c.Sources), len(c.Relays), len(c.Signatures))
	}
	if !c.ValidUntil.Equal(time.Date(2000, 1, 1, 0, 3, 0, 0, time.UTC)) || c.VoteDelay != 4*time.Second {
		t.Errorf("valid until %v, vote delay %v", c.ValidUntil, c.VoteDelay)
	}
	if v, ok := c.Params.Lookup("cc_alg"); !ok || v != 2 {
		t.Errorf("cc_alg %d, %v", v, ok)
	}
	if v, ok := c.Weights.Lookup("Wmd"); !ok || v != 3333 {
		t.Errorf("Wmd %d, %v", v, ok)
	}
	if d := c.Sources[1]; d.Nickname != "test002a" || d.Addr != netip.MustParseAddr("127.0.0.1") || d.DirPort != 7102 ||
		d.ORPort != 5102 || d.Legacy || d.Contact != "auth2@test.test" || d.VoteDigest[0] != 0x11 {
		t.Errorf("source %+v", d)
	}
	r := &c.Relays[2]
	if r.Nickname() != "test005r" || r.IPv4() != netip.MustParseAddrPort("127.0.0.1:5105") || r.IPv6().IsValid() || r.DirPort != 0 ||
		r.Version != "Tor 0.4.9.6" || !r.HasBandwidth || r.Bandwidth != 55 || !r.Unmeasured || r.PublishedTime().Year() != 2038 {
		t.Errorf("relay %+v", r)
	}
	want := consensus.Exit | consensus.Fast | consensus.Guard | consensus.HSDir | consensus.Running | consensus.V2Dir | consensus.Valid
	if r.Flags != want {
		t.Errorf("flags %v, want %v", c.Names(r.Flags), c.Names(want))
	}
	if r.Protos != c.Relays[0].Protos {
		t.Error("equal pr lines are not shared")
	}
	if got := c.Relay(&r.ID); got != r {
		t.Errorf("found %v", got)
	}
	if got := c.Relay(&[20]byte{1}); got != nil {
		t.Errorf("found %v, which is not there", got)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, name := range []string{"microdesc.txt", "ns.txt"} {
		doc := readFile(t, name)
		got, err := parse(t, doc).AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(doc), string(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// What the documents of C tor do not have.
func TestRoundTripRare(t *testing.T) {
	n := consensustest.New(consensustest.Options{Relays: 5, Flavor: consensus.NS, Authorities: consensustest.Authorities(2)})
	c := n.Consensus
	c.KnownFlags = append(c.KnownFlags, "Wondrous", "Yellow")
	c.Packages = []string{"tor 1.0 http://x/ sha256=00"}
	c.Relays[0].Flags |= c.Flag("Yellow")
	c.Relays[1].HasGuardFraction, c.Relays[1].GuardFraction = true, 34
	c.Relays[2].HasBandwidth, c.Relays[2].Version, c.Relays[2].Policy = false, "", ""
	c.Sources[0].Legacy, c.Sources[0].Contact, c.Sources[0].VoteDigest = true, "", [20]byte{}
	c.PreviousSRV = nil
	doc := consensustest.Sign(c, n.Authorities)
	got := parse(t, doc)
	c.Digests = got.Digests
	if !bytes.Contains(doc, []byte(" Valid Yellow\n")) {
		t.Error("unknown flag lost")
	}
	if d := cmp.Diff(c.Relays[1].GuardFraction, got.Relays[1].GuardFraction); d != "" {
		t.Error(d)
	}
	again, err := got.AppendTo(nil)
	if err != nil || !bytes.Equal(doc, again) {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(string(doc), string(again)))
	}
}

func TestDigests(t *testing.T) {
	doc := readFile(t, "ns.txt")
	signed := doc[:bytes.Index(doc, []byte("\ndirectory-signature "))+len("\ndirectory-signature ")]
	want := consensus.Digests{
		SHA1: sha1.Sum(signed), SHA256: sha256.Sum256(signed), SHA3: sha3.Sum256(signed), Whole: sha3.Sum256(doc),
	}
	if got := consensus.DigestsOf(doc, len(signed), true, true); got != want {
		t.Errorf("got %x, want %x", got, want)
	}
	want.SHA256 = [32]byte{} // no signature needs it
	if got := parse(t, doc).Digests; got != want {
		t.Errorf("parsed: got %x, want %x", got, want)
	}
	if !bytes.Equal(consensus.SignedPart(doc), signed) {
		t.Error("signed part differs")
	}
}

// keyring has the signing keys of a file of certificates.
func keyring(t *testing.T) *consensus.Keyring {
	keys := map[consensus.KeyID]*rsa.PublicKey{}
	k := &consensus.Keyring{Key: func(id consensus.KeyID) *rsa.PublicKey { return keys[id] }}
	for text := range authcert.Split(readFile(t, "certs.txt")) {
		cert, err := authcert.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		keys[consensus.KeyID{Identity: cert.Fingerprint, SigningKey: cert.SigningFP}] = cert.Signing
		k.Trusted = append(k.Trusted, cert.Fingerprint)
	}
	return k
}

func TestVerify(t *testing.T) {
	for _, name := range []string{"microdesc.txt", "ns.txt"} {
		v := parse(t, readFile(t, name)).Verify(keyring(t))
		if v.Result != consensus.Good || len(v.Good) != 4 || v.Needed != 3 {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestVerdicts(t *testing.T) {
	auths := consensustest.Authorities(5)
	doc := consensustest.New(consensustest.Options{Relays: 1, Authorities: auths}).Doc
	stranger := [20]byte{1}
	tests := []struct {
		name   string
		change func(c *consensus.Consensus, k *consensus.Keyring)
		want   consensus.Result
		counts [5]int // good, bad, missing, unknown, absent
	}{
		{"all good", func(*consensus.Consensus, *consensus.Keyring) {}, consensus.Good, [5]int{5, 0, 0, 0, 0}},
		{"bare majority", func(c *consensus.Consensus, _ *consensus.Keyring) { c.Signatures = c.Signatures[:3] }, consensus.Good, [5]int{3, 0, 0, 0, 2}},
		{"one too few", func(c *consensus.Consensus, _ *consensus.Keyring) { c.Signatures = c.Signatures[:2] }, consensus.Bad, [5]int{2, 0, 0, 0, 3}},
		{"half is no majority", func(c *consensus.Consensus, k *consensus.Keyring) {
			k.Trusted, c.Signatures = k.Trusted[:4], c.Signatures[:2]
		}, consensus.Bad, [5]int{2, 0, 0, 0, 2}},
		{"bad signatures", func(c *consensus.Consensus, _ *consensus.Keyring) {
			for i := range 3 {
				c.Signatures[i].Signature[9] ^= 1
			}
		}, consensus.Bad, [5]int{2, 3, 0, 0, 0}},
		{"one signs for all", func(c *consensus.Consensus, _ *consensus.Keyring) {
			for i := range c.Signatures {
				c.Signatures[i] = c.Signatures[0]
			}
		}, consensus.Bad, [5]int{1, 0, 0, 0, 4}},
		{"one good among an authority's signatures", func(c *consensus.Consensus, _ *consensus.Keyring) {
			s := c.Signatures[0]
			s.Algorithm = consensus.SHA1
			c.Signatures = append([]consensus.Signature{s}, c.Signatures[:3]...)
		}, consensus.Good, [5]int{3, 0, 0, 0, 2}},
		{"no certificates", func(_ *consensus.Consensus, k *consensus.Keyring) {
			k.Key = func(consensus.KeyID) *rsa.PublicKey { return nil }
		}, consensus.NeedCerts, [5]int{0, 0, 5, 0, 0}},
		{"certificates would not help", func(c *consensus.Consensus, k *consensus.Keyring) {
			c.Signatures = c.Signatures[:2]
			k.Key = func(consensus.KeyID) *rsa.PublicKey { return nil }
		}, consensus.Bad, [5]int{0, 0, 2, 0, 3}},
		{"nobody is trusted", func(_ *consensus.Consensus, k *consensus.Keyring) { k.Trusted = nil }, consensus.Bad, [5]int{0, 0, 0, 5, 0}},
		{"trusted twice", func(c *consensus.Consensus, k *consensus.Keyring) {
			k.Trusted = append(k.Trusted, k.Trusted[0])
		}, consensus.Good, [5]int{5, 0, 0, 0, 0}},
		{"a stranger trusted", func(c *consensus.Consensus, k *consensus.Keyring) {
			k.Trusted = [][20]byte{stranger}
		}, consensus.Bad, [5]int{0, 0, 0, 5, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, k := parse(t, doc), consensustest.Keyring(auths)
			tt.change(c, k)
			v := c.Verify(k)
			counts := [5]int{len(v.Good), len(v.Bad), len(v.Missing), len(v.Unknown), len(v.Absent)}
			if v.Result != tt.want || counts != tt.counts {
				t.Errorf("%v %v, want %v %v", v.Result, counts, tt.want, tt.counts)
			}
		})
	}
}

// A relay of a parsed consensus must stay cheap: there are thousands.
func TestRouterStatusSize(t *testing.T) {
	if n := unsafe.Sizeof(consensus.RouterStatus{}); n > 168 {
		t.Errorf("%d bytes", n)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, flavor := range []consensus.Flavor{consensus.NS, consensus.Microdesc} {
		b.Run(flavor.String(), func(b *testing.B) {
			doc := consensustest.New(consensustest.Options{Relays: 9000, Flavor: flavor, Authorities: consensustest.Authorities(5)}).Doc
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := consensus.Parse(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDigests(b *testing.B) {
	doc := consensustest.New(consensustest.Options{Relays: 9000}).Doc
	n := len(consensus.SignedPart(doc))
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		consensus.DigestsOf(doc, n, true, false)
	}
}

func BenchmarkAppendBody(b *testing.B) {
	n := consensustest.New(consensustest.Options{Relays: 9000})
	var buf []byte
	b.SetBytes(int64(len(n.Doc)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = n.Consensus.AppendBody(buf[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
