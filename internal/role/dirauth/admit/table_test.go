package admit_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth/admit"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// A step is an upload, and the answer that it gets. Steps come one behind the other, at one authority.
type step struct {
	name   string
	body   []byte
	status int
	reason string // beginning
	notNew bool
	ours   bool // C tor answers something else
}

// The configuration of the authority in steps.
const (
	rejected = "198.51.100.0/24"
	invalid  = "203.0.113.0/24"
)

// steps are the uploads, and the file approved-routers. Their keys take a while to make.
var steps = sync.OnceValues(makeSteps)

func makeSteps() (list []step, approved string) {
	const none = "[None]"
	ok := func(name string, body []byte) {
		list = append(list, step{name: name, body: body, status: 200, reason: none})
	}
	old := func(name string, body []byte) {
		list = append(list, step{name: name, body: body, status: 200, notNew: true})
	}
	bad := func(name, reason string, body []byte) {
		list = append(list, step{name: name, body: body, status: 400, reason: reason})
	}
	ours := func(status int, name, reason string, body []byte) {
		list = append(list, step{name: name, body: body, status: status, reason: reason, ours: true})
	}
	observed := func(n uint32) func(*routerdesc.Descriptor) {
		return func(d *routerdesc.Descriptor) { d.Bandwidth.Observed = n }
	}
	const h = time.Hour

	a := newRelay()
	first := a.publish(now.Add(-3 * h))
	ok("first", first)
	old("the same once more", first)
	ok("the same, its last signature damaged", damage(first))
	old("cosmetic", a.publish(now.Add(-2*h), func(d *routerdesc.Descriptor) { d.Uptime = h }))
	ok("two hours later", a.publish(now.Add(-3*h+2*h+time.Second), func(d *routerdesc.Descriptor) { d.Uptime = 2 * h }))
	old("older", a.publish(now.Add(-2*h), observed(99)))
	old("replayed", first)
	old("other text, same time", a.publish(now.Add(-3*h+2*h+time.Second), observed(99)))
	ok("other bandwidth", a.publish(now.Add(-h/2), observed(1<<20)))
	ok("other contact", a.publish(now.Add(-h/3), observed(1<<20), func(d *routerdesc.Descriptor) { d.Contact = "d" }))

	b, c := newRelay(), newRelay()
	ok("second relay", b.publish(now))
	bad("same RSA, other Ed25519", "Looks like your keypair has changed?", b.withEd(c).publish(now.Add(time.Minute), observed(99)))
	bad("same Ed25519, other RSA", "Looks like your keypair has changed?", c.withEd(b).publish(now))
	ok("the other one has its own", c.publish(now))
	bad("two that are pinned, crossed", "Looks like your keypair has changed?", b.withEd(c).publish(now.Add(time.Minute), observed(99)))

	bad("12 hours and a bit in the future", "Rejected: Your clock is set too far in the future", newRelay().publish(now.Add(12*h+5*time.Minute)))
	ok("nearly 12 hours in the future", newRelay().publish(now.Add(12*h-time.Minute)))
	bad("a day and a bit old", "Rejected: Server is expired, or your clock", newRelay().publish(now.Add(-24*h-time.Minute)))
	ok("nearly a day old", newRelay().publish(now.Add(-24*h+5*time.Minute)))
	expired := newRelay()
	expired.certify(now.Add(-2 * h))
	old("certificate has expired", expired.publish(now))

	torsion := newRelay()
	torsion.master = newTorsionKey()
	torsion.certify(now.Add(30 * 24 * h))
	bad("Ed25519 identity that is no whole key", "(no message)", torsion.publish(now))

	tap := newRelay()
	tap.onion = nil
	bad("no TAP key", "Missing TAP key in descriptor.", tap.publish(now))
	ntor := newRelay()
	ok("no ntor key", ntor.resign(ntor.publish(now), "\nntor-onion-key "+base64.RawStdEncoding.EncodeToString(ntorKey.PublicKey().Bytes()), ""))
	bad("private address", "Rejected: Address is a private address.", newRelay().publish(now, at("10.1.2.3:9001")))
	bad("loopback", "Rejected: Address is a private address.", newRelay().publish(now, at("127.0.0.1:9001")))
	bad("private IPv6 address", "Rejected: Address is a private address.", newRelay().publish(now, func(d *routerdesc.Descriptor) { d.OR6 = netip.MustParseAddrPort("[fc00::1]:9001") }))
	zero := newRelay()
	bad("address 0.0.0.0", "Rejected: Address is a private address.", zero.resign(zero.publish(now), " 192.0.2.1 ", " 0.0.0.0 "))
	name := newRelay()
	ok("no nickname", name.resign(name.publish(now), "router unnamed ", "router un_named "))
	port := newRelay()
	ok("port 0", port.resign(port.publish(now), " 9001 ", " 0 "))
	bad("address range", "Suspicious relay address range", newRelay().publish(now, at("198.51.100.77:9001")))
	v := newRelay()
	ok("not valid", v.publish(now.Add(-h), at("203.0.113.1:9001")))
	ok("not valid, updated", v.publish(now, at("203.0.113.2:9001")))

	bad("old version", "Tor version is insecure or unsupported.", newRelay().publish(now, platform("Tor 0.4.7.16 on Linux")))
	bad("no version", "Malformed platform string.", newRelay().publish(now, platform("Tor x on Linux")))
	bad("long version", "Malformed platform string.", newRelay().publish(now, platform("Tor 0.4.9.11-"+strings.Repeat("x", 200)+" on Linux")))
	bad("bad commit", "Malformed platform string.", newRelay().publish(now, platform("Tor 0.4.9.11 (git-xyz) on Linux")))
	ok("commit", newRelay().publish(now, platform("Tor 0.4.9.11 (git-0123abcd) on Linux")))
	ok("least version", newRelay().publish(now, platform("Tor 0.4.8.0-alpha-dev on Linux")))
	ok("another program", newRelay().publish(now, platform("Arti 2.0")))

	rsa, ed := newRelay(), newRelay()
	edKey := ed.SigningCert.SignedWith
	approved = fmt.Sprintf("!reject %X\n!reject %s\n", rsa.fingerprint(), base64.RawStdEncoding.EncodeToString(edKey[:]))
	bad("listed by fingerprint", "Fingerprint and/or ed25519 identity is marked rejected", rsa.publish(now))
	bad("listed by Ed25519 identity", "Fingerprint and/or ed25519 identity is marked rejected", ed.publish(now))

	big := newRelay()
	long := func(n int) func(*routerdesc.Descriptor) {
		return func(d *routerdesc.Descriptor) { d.Contact = strings.Repeat("x", n) }
	}
	size := len(big.publish(now, long(1))) - 1
	bad("too large", "Router descriptor was too large.", big.publish(now, long(routerdesc.MaxUpload-size+1)))
	ok("just not too large", big.publish(now, long(routerdesc.MaxUpload-size)))

	ok("nothing", []byte("\n"))
	ok("nonsense", []byte("nonsense\n"))
	bad("no text", "descriptor(s) or extrainfo(s) not valid UTF-8 or had BOM.", []byte("router \xff\n"))
	bad("byte order mark", "descriptor(s) or extrainfo(s) not valid UTF-8 or had BOM.", join([]byte("\ufeff"), newRelay().publish(now)))
	annotated := newRelay()
	ok("annotated", join([]byte("@source \"x\"\n"), annotated.publish(now)))
	unsigned := newRelay().publish(now)
	ok("signature cut off", unsigned[:len(unsigned)-30])
	wrong := newRelay()
	ok("wrong Ed25519 signature", bytes.Replace(wrong.publish(now), []byte("\nuptime 0"), []byte("\nuptime 1"), 1))
	ok("wrong RSA signature", damage(newRelay().publish(now)))

	// Extra-info documents.
	e := newRelay()
	x := e.extra(now, 1)
	ok("with extra-info", join(e.publish(now, refer(x)), x.Text))
	old("both again", join(e.publish(now, refer(x)), x.Text))
	ok("extra-info alone", x.Text)
	bad("extra-info of another time", "Extrainfo published time did not match routerdesc", e.extra(now.Add(-h), 1).Text)
	old("extra-info of a later time", e.extra(now.Add(h), 1).Text)
	bad("other extra-info", "Neither digest256 or digest matched digest from routerdesc", e.extra(now, 2).Text)
	ok("wrong RSA signature of an extra-info", damage(x.Text))
	bad("extra-info of nobody", "No corresponding router descriptor for extra-info descriptor", newRelay().extra(now, 1).Text)
	swapped := e.withEd(newRelay()).extra(now, 1)
	bad("extra-info with another's Ed25519 key", "Extrainfo signing key cert didn't match routerinfo", swapped.Text)
	half := newRelay()
	hx := half.extra(now, 1)
	bad("one digest wrong", "Extrainfo digest did not match digest256 from routerdesc", join(half.publish(now, func(d *routerdesc.Descriptor) {
		d.ExtraInfo, d.ExtraInfo256 = hx.Digest, [32]byte{1}
	}), hx.Text))
	other := newRelay()
	ox := other.extra(now, 1)
	bad("the other digest wrong", "Extrainfo digest did not match value from routerdesc", join(other.publish(now, func(d *routerdesc.Descriptor) {
		d.ExtraInfo, d.ExtraInfo256 = [20]byte{1}, ox.Digest256
	}), ox.Text))
	fat := newRelay()
	huge := fat.resign(fat.extra(now, 1).Text, "\nconn-bi-direct", "\nx "+strings.Repeat("x", 50000)+"\nconn-bi-direct")
	bad("extra-info too large", "Extrainfo document was too large", join(fat.publish(now), huge))

	// Several at once: the worst counts, and descriptors come first.
	f, g := newRelay(), newRelay()
	fx := f.extra(now, 1)
	ok("two relays, extra-info first", join(fx.Text, []byte("junk\n"), g.publish(now), f.publish(now, refer(fx))))
	bad("good and bad", "Tor version is insecure", join(newRelay().publish(now), newRelay().publish(now, platform("Tor 0.4.7.16 on Linux")), f.publish(now, refer(fx))))
	old("rejected and expired", join(newRelay().publish(now, platform("Tor 0.4.7.16 on Linux")), expired.publish(now)))
	bad("unknown extra-info and an old descriptor", "No corresponding", newRelay().extra(now, 1).Text)

	ours(400, "too many documents", "Too many documents in one upload.", bytes.Repeat([]byte("router x\n"), admit.MaxDocs+1))
	ours(400, "body too long", "Upload is too large", bytes.Repeat([]byte("x"), admit.MaxBody+1))
	return list, approved
}

func stepRegistry(t *testing.T, approved string) *admit.Registry {
	t.Helper()
	lists, warnings, err := approvedrouters.Parse("approved-routers", []byte(approved))
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	return newRegistry(t, func(c *admit.Config) {
		c.Approved, c.Reject, c.Invalid = lists, rejects(t, rejected), rejects(t, invalid)
	})
}

// https://spec.torproject.org/dir-spec/uploading-relay-documents.html
func TestUpload(t *testing.T) {
	list, approved := steps()
	r := stepRegistry(t, approved)
	for _, s := range list {
		res := r.Upload(from, s.body, now)
		if res.Status != s.status || !strings.HasPrefix(res.Reason, s.reason) || res.NotNew != s.notNew || s.notNew && res.Reason != "" {
			t.Errorf("%s: got %d %q %v, want %d %q %v", s.name, res.Status, res.Reason, res.NotNew, s.status, s.reason, s.notNew)
		}
	}
}
