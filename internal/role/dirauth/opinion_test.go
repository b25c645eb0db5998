package dirauth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/dirauth/flags"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// A vote is about all relays with a descriptor, one of each Ed25519 identity, in the order of their identities; it can be read, and
// the microdescriptors that it lists are there.
func TestOpinions(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	auth := consensustest.Authorities(1)[0]
	cert, err := authcert.Parse(auth.Cert(now.AddDate(0, -1, 0), now.AddDate(1, 0, 0)))
	if err != nil {
		t.Fatal(err)
	}
	tap, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	onion := x509.MarshalPKCS1PublicKey(&tap.PublicKey)
	relay := func(id byte, change func(*routerdesc.Descriptor)) Relay {
		d := relayAt(id, "192.0.2.1:9001", "")
		d.OR = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, id}), 9001)
		d.Nickname, d.Published, d.Protocols, d.Platform = "relay"+string('a'+rune(id)), now.Add(-time.Hour), "Link=4-5 Relay=2-4", "Tor 0.4.9.11 on Linux"
		d.OnionKey, d.Ntor, d.Policy, d.Digest = onion, [32]byte{id, 1}, exitpolicy.Policy{}, [20]byte{id, 7}
		d.Bandwidth.Rate, d.Bandwidth.Burst, d.Bandwidth.Observed = 5e6, 5e6, 3e6
		if change != nil {
			change(d)
		}
		return Relay{Descriptor: d}
	}
	bad := relay(5, nil)
	bad.Status = approvedrouters.Invalid
	list := []Relay{
		relay(3, nil),
		relay(1, nil),
		relay(2, func(d *routerdesc.Descriptor) { d.Ed25519, d.Published = [32]byte{1}, now.Add(-2*time.Hour) }), // relay 1's key, and older
		relay(4, func(d *routerdesc.Descriptor) { d.Published = now.Add(-48 * time.Hour) }),                      // too old to list
		bad,
		relay(6, func(d *routerdesc.Descriptor) { d.Platform = "Other 1.0" }),
	}
	var micro [][]byte
	memory := OpenMemory(slog.New(slog.DiscardHandler), new(statefile.Mem), time.Now, func() *consensus.Consensus { return nil }, true)
	reach := NewReachability(ReachConfig{Off: true})
	o := NewOpinions(OpinionConfig{
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})), Flags: flags.Config{Testing: true, FastGuarantee: 1}, Start: now.Add(-24 * time.Hour),
		Source: func() consensus.DirSource {
			return consensus.DirSource{Nickname: "auth0", Hostname: "192.0.2.200", Addr: netip.MustParseAddr("192.0.2.200"), DirPort: 80, ORPort: 443, Contact: "me"}
		},
		Trusted: map[[20]byte]bool{{3}: true}, Timing: testTiming, IntervalsValid: 3, AllowPrivate: true,
		Bandwidths: func() ([]byte, error) {
			return []byte(strings.Join([]string{
				"1700000000", "version=1.4.0", "=====",
				"bw=777 node_id=$0100000000000000000000000000000000000000 nick=relayb", "bw=888 node_id=$0300000000000000000000000000000000000000 nick=relayd", "",
			}, "\n")), nil
		},
		Relays: func() []Relay { return list }, Hibernating: func() bool { return false }, Live: func() *consensus.Consensus { return nil },
		Microdescs: func(texts [][]byte, _ time.Time) { micro = texts },
	}, reach, memory)
	v := &vote.Vote{Methods: []int{32, 33, 34, 35}, Published: now, ValidAfter: now.Truncate(time.Hour).Add(time.Hour), Cert: cert}
	if err := o.Vote(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	v.Source.Identity = cert.Fingerprint
	text, err := v.Sign(auth.Signing)
	if err != nil {
		t.Fatal(err)
	}
	got, err := vote.Parse(text, vote.MinInterval)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var ids []byte
	for i := range got.Relays {
		ids = append(ids, got.Relays[i].Status.ID[0])
	}
	if string(ids) != "\x01\x03\x05\x06" {
		t.Fatalf("relays %v, want 1, 3, 5 and 6", ids)
	}
	if got.Relays[0].Status.Version != "Tor 0.4.9.11" || got.Relays[3].Status.Version != "" {
		t.Errorf("versions %q and %q", got.Relays[0].Status.Version, got.Relays[3].Status.Version)
	}
	if len(micro) < 4 || len(got.Relays[0].Microdescs) == 0 {
		t.Errorf("%d microdescriptors", len(micro))
	}
	if valid := got.FlagsOf("Valid"); got.Relays[0].Flags&valid == 0 || got.Relays[2].Flags&valid != 0 {
		t.Error("the operator's list does not decide on Valid")
	}
	if !got.FreshUntil.Equal(got.ValidAfter.Add(time.Hour)) || !got.ValidUntil.Equal(got.ValidAfter.Add(3*time.Hour)) {
		t.Errorf("times %v, %v, %v", got.ValidAfter, got.FreshUntil, got.ValidUntil)
	}
	// The bandwidth file is too old to be used; its digest is told all the same.
	if got.Bandwidths == nil || got.Relays[0].HasMeasured {
		t.Errorf("bandwidths %+v, measured %v", got.Bandwidths, got.Relays[0].HasMeasured)
	}
}

func TestVersionOf(t *testing.T) {
	for platform, want := range map[string]string{
		"Tor 0.4.9.11 on Linux": "Tor 0.4.9.11", "Tor 0.4.8.0-alpha-dev (git-1234) on Linux": "Tor 0.4.8.0-alpha-dev", "Tor": "", "Other 1 on x": "", "": "",
		"Tor  0.4.9.11": "Tor 0.4.9.11",
	} {
		if got := versionOf(platform); got != want {
			t.Errorf("%q: %q, want %q", platform, got, want)
		}
	}
}
