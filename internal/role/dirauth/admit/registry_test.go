package admit_test

import (
	"bytes"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth/admit"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/keypin"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// What follows from an upload: the relay, its extra-info document, and a line of the journal.
func TestResult(t *testing.T) {
	r := newRegistry(t, nil)
	a := newRelay()
	x := a.extra(now, 1)
	desc := a.publish(now, refer(x))
	body := join(desc, x.Text, newRelay().publish(now, platform("Tor 0.1.2.3")), []byte("router x\n"))
	res := r.Upload(from, body, now)
	if len(res.Routers) != 1 || len(res.Extras) != 1 || len(res.Refusals) != 2 {
		t.Fatalf("got %+v", res)
	}
	if want := (keypin.Pin{RSA: a.fingerprint(), Ed25519: *a.SigningCert.SignedWith}); !slices.Equal(res.Pins, []keypin.Pin{want}) {
		t.Errorf("got pins %v", res.Pins)
	}
	if res.Extras[0].Digest != x.Digest {
		t.Error("another extra-info document")
	}
	if f := res.Refusals; f[0].Outcome != admit.Rejected || f[0].Message == "" || f[1].Err == nil || f[1].Message != "" {
		t.Errorf("got refusals %+v", f)
	}
	clear(body) // nothing of it may be kept
	is := r.Router(a.fingerprint())
	if is != res.Routers[0] || !bytes.Equal(is.Descriptor.Text, desc) || is.Status != 0 {
		t.Errorf("got %+v", is)
	}
	if again := r.Upload(from, a.publish(now.Add(time.Hour), func(d *routerdesc.Descriptor) { d.Contact = "x" }), now); len(again.Routers) != 1 || len(again.Pins) != 0 {
		t.Errorf("again: got %+v", again)
	}
}

// A relay that is refused leaves no trace, so that the journal grows by those only who are taken.
func TestRefusedIsNotPinned(t *testing.T) {
	r := newRegistry(t, nil)
	a, b := newRelay(), newRelay()
	if res := r.Upload(from, a.publish(now, at("10.0.0.1:1")), now); res.Status != 400 || len(res.Pins) > 0 {
		t.Fatalf("got %+v", res)
	}
	if res := r.Upload(from, a.withEd(b).publish(now), now); res.Status != 200 || len(res.Pins) != 1 {
		t.Errorf("got %+v", res)
	}
}

// AuthDirPinKeys 0 lets keys move.
func TestNoPins(t *testing.T) {
	r := newRegistry(t, func(c *admit.Config) { c.PinKeys = false })
	a, b := newRelay(), newRelay()
	for i, body := range [][]byte{a.publish(now), a.withEd(b).publish(now.Add(time.Hour), platform("x")), b.withEd(a).publish(now)} {
		if res := r.Upload(from, body, now); res.Status != 200 || len(res.Routers) != 1 || len(res.Pins) != 1 {
			t.Errorf("%d: got %+v", i, res)
		}
	}
}

func TestStatus(t *testing.T) {
	approved := "!badexit " + strings.Repeat("0", 39) + "1\n!middleonly " + strings.Repeat("0", 39) + "2\n!stripguard " + strings.Repeat("0", 39) +
		"2\n!invalid " + strings.Repeat("0", 39) + "3\n!reject " + strings.Repeat("0", 39) + "4\n"
	lists, _, err := approvedrouters.Parse("approved-routers", []byte(approved))
	if err != nil {
		t.Fatal(err)
	}
	cfg := admit.Config{
		Approved: lists, Reject: rejects(t, "accept 192.0.2.9, 192.0.2.8/31"), BadExit: rejects(t, "192.0.2.16/28"), MiddleOnly: rejects(t, "192.0.2.24/29"),
		Invalid: admit.AddressRule{Countries: []string{"XX", "??"}},
	}
	cfg.Country = func(a netip.Addr) string {
		if a.As4()[0] == 198 {
			return "xx"
		}
		return "yy"
	}
	const reject, badExit, invalid, middle = approvedrouters.Reject, approvedrouters.BadExit, approvedrouters.Invalid, approvedrouters.MiddleOnly
	for _, tt := range []struct {
		name string
		id   byte
		addr string
		want approvedrouters.Status
	}{
		{"nothing", 0, "192.0.2.1:1", 0},
		{"bad exit", 1, "192.0.2.1:1", badExit},
		{"middle", 2, "192.0.2.1:1", middle | approvedrouters.StripGuard},
		{"invalid", 3, "192.0.2.1:1", invalid},
		{"reject", 4, "192.0.2.1:1", reject},
		{"reject by address", 1, "192.0.2.8:1", reject},
		{"exception", 0, "192.0.2.9:1", 0},
		{"bad exit by address", 2, "192.0.2.17:1", middle | badExit | approvedrouters.StripGuard},
		{"both by address", 0, "192.0.2.24:1", middle | badExit},
		{"country", 0, "198.51.100.1:1", invalid},
	} {
		id := admit.Identity{RSA: [20]byte{19: tt.id}, OR: netip.MustParseAddrPort(tt.addr)}
		got, why := cfg.Status(id, "")
		if got != tt.want || (why != "") != (tt.want == reject) {
			t.Errorf("%s: got %b %q, want %b", tt.name, got, why, tt.want)
		}
	}
	cfg.Country = nil
	if got, _ := cfg.Status(admit.Identity{OR: netip.MustParseAddrPort("192.0.2.1:1")}, ""); got != invalid {
		t.Errorf("without a file of countries: got %b", got)
	}
}

func TestConfigure(t *testing.T) {
	cfg := admit.Config{PinKeys: true}
	r := admit.New(cfg, keypin.New())
	a, b, c := newRelay(), newRelay(), newRelay()
	aDesc := a.publish(now)
	if res := r.Upload(from, join(aDesc, b.publish(now, at("198.51.100.1:1")), c.publish(now, at("203.0.113.1:1"))), now); len(res.Routers) != 3 {
		t.Fatalf("got %+v", res)
	}
	cfg.Reject, cfg.BadExit = rejects(t, "198.51.100.0/24"), rejects(t, "192.0.2.0/24")
	if gone := r.Configure(cfg, now); len(gone) != 1 || gone[0].Descriptor.RSA != b.fingerprint() {
		t.Errorf("removed %v", gone)
	}
	if n := len(slices.Collect(r.Routers())); n != 2 {
		t.Errorf("got %d relays", n)
	}
	if is := r.Router(a.fingerprint()); is == nil || is.Status != approvedrouters.BadExit {
		t.Errorf("got %+v", is)
	}
	if res := r.Upload(from, aDesc, now); !res.NotNew {
		t.Errorf("got %+v", res)
	}
	id := admit.Identity{OR: netip.MustParseAddrPort("198.51.100.2:1")}
	if !r.WouldReject(id) || r.WouldReject(admit.Identity{OR: netip.MustParseAddrPort("192.0.2.1:1")}) {
		t.Error("WouldReject")
	}
	// MinVersion changes as well.
	cfg.MinVersion.Major = 1
	if gone := r.Configure(cfg, now); len(gone) != 2 {
		t.Errorf("removed %d", len(gone))
	}
}

// What comes from other authorities counts if the consensus lists it, though it is older.
func TestAdd(t *testing.T) {
	parse := func(text []byte) *routerdesc.Descriptor { return must(routerdesc.Parse(text)) }
	r := newRegistry(t, nil)
	a := newRelay()
	a.onion = nil // is no reason here
	older, newer := parse(a.publish(now.Add(-time.Hour))), parse(a.publish(now))
	for _, tt := range []struct {
		name   string
		d      *routerdesc.Descriptor
		listed bool
		want   admit.Outcome
	}{
		{"first", newer, false, admit.Added},
		{"older", older, false, admit.Known},
		{"older, listed", older, true, admit.Added},
		{"the same, listed", older, true, admit.Known},
		{"newer, cosmetic", newer, false, admit.Added},
		{"too old", parse(newRelay().publish(now.Add(-25 * time.Hour))), true, admit.Rejected},
		{"not pinned", parse(a.withEd(newRelay()).publish(now.Add(time.Hour))), false, admit.Added},
	} {
		if got, why := r.Add(tt.d, tt.listed, now); got != tt.want {
			t.Errorf("%s: got %v %s, want %v", tt.name, got, why, tt.want)
		}
	}
	b, c := newRelay(), newRelay()
	r.Upload(from, b.publish(now), now)
	if got, why := r.Add(parse(b.withEd(c).publish(now.Add(time.Hour))), true, now); got != admit.Rejected || why != "Ed25519 identity key or RSA identity key has changed." {
		t.Errorf("pinned: got %v %s", got, why)
	}
}

func TestExpire(t *testing.T) {
	r := newRegistry(t, nil)
	a, b := newRelay(), newRelay()
	r.Upload(from, join(a.publish(now), b.publish(now)), now)
	listed := r.Router(a.fingerprint()).Descriptor.Digest
	isListed := func(digest [20]byte) bool { return digest == listed }
	if n := r.Expire(now.Add(5*24*time.Hour-time.Second), isListed); n != 0 {
		t.Errorf("too early: %d", n)
	}
	if n := r.Expire(now.Add(5*24*time.Hour), isListed); n != 1 || r.Router(a.fingerprint()) == nil || r.Router(b.fingerprint()) != nil {
		t.Errorf("got %d", n)
	}
}

// recordedFile has descriptors that relays of C tor published in a test network, and recordedAt is when.
const recordedFile = "../../../wire/routerdesc/testdata/cached-descriptors.txt"

var recordedAt = time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC)

func TestRecorded(t *testing.T) {
	text, err := os.ReadFile(recordedFile)
	if err != nil {
		t.Fatal(err)
	}
	n := bytes.Count(text, []byte("router-signature\n"))
	r := newRegistry(t, func(c *admit.Config) { c.AllowPrivate = true })
	if res := r.Upload(from, text, recordedAt); res.Status != 200 || len(res.Routers) != n || n == 0 {
		t.Errorf("got %d of %d: %+v", len(res.Routers), n, res.Refusals)
	}
	if res := r.Upload(from, text, recordedAt.Add(time.Minute)); !res.NotNew {
		t.Errorf("again: got %+v", res)
	}
}

// A descriptor is found by its digest, and its extra-info document is needed, as long as it is the newest of its relay.
func TestNewest(t *testing.T) {
	r := newRegistry(t, nil)
	a, b := newRelay(), newRelay()
	extra := a.extra(now.Add(-time.Hour), 1)
	r.Upload(from, join(a.publish(now.Add(-time.Hour), refer(extra)), b.publish(now, refer(extra))), now)
	first, second := r.Router(a.fingerprint()), r.Router(b.fingerprint())
	if r.ByDigest(first.Descriptor.Digest) != first || r.ByDigest(second.Descriptor.Digest) != second || r.ByDigest([20]byte{1}) != nil {
		t.Error("not found by digest")
	}
	r.Configure(admit.Config{Invalid: rejects(t, "192.0.2.0/24")}, now)
	if x := r.ByDigest(first.Descriptor.Digest); x == nil || x.Status != approvedrouters.Invalid {
		t.Errorf("after another opinion: %+v", x)
	}
	r.Upload(from, a.publish(now, at("192.0.2.2:1")), now)
	if r.ByDigest(first.Descriptor.Digest) != nil || r.Router(a.fingerprint()) == first || !r.NeedsExtraInfo(extra.Digest) {
		t.Error("after another descriptor")
	}
	r.Expire(now.Add(6*24*time.Hour), func([20]byte) bool { return false })
	if r.ByDigest(second.Descriptor.Digest) != nil || r.NeedsExtraInfo(extra.Digest) {
		t.Error("after its time")
	}
}
