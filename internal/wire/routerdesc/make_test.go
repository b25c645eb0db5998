package routerdesc

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

var compareValues = cmp.Options{
	cmpopts.EquateComparable(netip.AddrPort{}, netip.Prefix{}, exitpolicy.Summary{}),
	cmpopts.EquateEmpty(),
}

// relay is a relay with a descriptor that has each item.
type relay struct {
	d    Descriptor
	keys Keys
	id   ed25519.PublicKey
	text []byte
}

var published = time.Date(2026, 8, 20, 1, 2, 3, 0, time.UTC)

func newRelay(t testing.TB) *relay {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r := new(relay)
	idPub, idKey, err := ed25519.GenerateKey(nil)
	must(err)
	signPub, signKey, err := ed25519.GenerateKey(nil)
	must(err)
	_, family, err := ed25519.GenerateKey(nil)
	must(err)
	cert := &torcert.Cert{
		Type: torcert.TypeIDSigning, Expires: published.AddDate(0, 1, 0), KeyType: torcert.KeyEd25519, Key: [32]byte(signPub),
		SignedWith: (*[32]byte)(idPub),
	}
	cert, err = cert.Sign(idKey)
	must(err)
	r.id = idPub
	r.keys = Keys{Signing: signKey, SigningCert: cert, NtorLife: 28 * 24 * time.Hour, Family: []crypto.Signer{family}}
	r.keys.Identity, err = rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	r.keys.Onion, err = rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	r.keys.Ntor, err = ecdh.X25519().GenerateKey(rand.Reader)
	must(err)
	policy, _, err := exitpolicy.ParseList("accept *4:80,reject *:*", exitpolicy.BareRefused)
	must(err)
	policy6, err := exitpolicy.ParseSummary("accept 443")
	must(err)
	r.d = Descriptor{
		Nickname: "Nick", OR: netip.MustParseAddrPort("192.0.2.1:9001"), OR6: netip.MustParseAddrPort("[2001:db8::1]:9001"),
		DirPort: 9030, Published: published, Platform: "Tor 0.4.9.11 on Linux", Protocols: "Cons=2 Desc=2-4", Contact: "me <at home>",
		Bandwidth: Bandwidth{1000, 2000, 3000}, Uptime: 77 * time.Second,
		ExtraInfo: [20]byte{1}, ExtraInfo256: [32]byte{2}, Hibernating: true, CachesExtraInfo: true, HSDir: true, DirCache: true,
		Family: []string{"$" + strings.Repeat("AB", 20), "friend"}, Policy: policy, Policy6: policy6, BridgeDistribution: "any",
		OverloadGeneral: published.Truncate(time.Hour),
	}
	r.text, err = Make(&r.d, &r.keys)
	must(err)
	return r
}

func TestMake(t *testing.T) {
	r := newRelay(t)
	got, err := Parse(r.text)
	if err != nil {
		t.Fatalf("%v\n%s", err, r.text)
	}
	want := r.d
	want.Identity, want.RSA = &r.keys.Identity.PublicKey, rsakey.Fingerprint(&r.keys.Identity.PublicKey)
	want.Ed25519, want.SigningKey = [32]byte(r.id), r.keys.SigningCert.Key
	want.Ntor = [32]byte(r.keys.Ntor.PublicKey().Bytes())
	want.OnionKey = rsakey.AppendDER(nil, &r.keys.Onion.PublicKey)
	want.KeysExpire = published.Add(28 * 24 * time.Hour).Truncate(time.Hour).Add(time.Hour)
	want.FamilyIDs = []string{FamilyID([32]byte(r.keys.Family[0].Public().(ed25519.PublicKey)))}
	want.FamilyExpires = published.Add(30 * 24 * time.Hour).Truncate(time.Hour).Add(time.Hour)
	want.Policy = slices.DeleteFunc(slices.Clone(want.Policy), func(r exitpolicy.Rule) bool { return r.Prefix.Addr().Is6() })
	want.Digest, want.Text = got.Digest, r.text
	if diff := cmp.Diff(&want, got, compareValues); diff != "" {
		t.Error(diff)
	}

	var keywords []string
	s := netdoc.NewScanner(r.text, netdoc.Options{})
	for s.Next() {
		keywords = append(keywords, string(s.Item().Keyword))
	}
	order := "router identity-ed25519 master-key-ed25519 or-address platform proto published fingerprint uptime bandwidth " +
		"extra-info-digest caches-extra-info onion-key signing-key onion-key-crosscert ntor-onion-key-crosscert family " +
		"hibernating hidden-service-dir family-cert contact bridge-distribution-request ntor-onion-key accept reject " +
		"ipv6-policy tunnelled-dir-server overload-general router-sig-ed25519 router-signature"
	if got := strings.Join(keywords, " "); got != order {
		t.Errorf("got items\n%s, want\n%s", got, order)
	}
}

// A relay that offers as little as it may.
func TestMakeMinimal(t *testing.T) {
	r := newRelay(t)
	r.keys.Onion, r.keys.Family = nil, nil
	d := Descriptor{Nickname: "n", OR: r.d.OR, Published: published, Protocols: "Link=5", Bandwidth: Bandwidth{Rate: 1}}
	text, err := Make(&d, &r.keys)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if got.OnionKey != nil || got.FamilyIDs != nil || !got.FamilyExpires.IsZero() || got.DirCache || !got.RejectsAll() {
		t.Errorf("got %+v", got)
	}
}

func TestMakeRefuses(t *testing.T) {
	r, other := newRelay(t), newRelay(t)
	large, err := rsa.GenerateKey(rand.Reader, 1032)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(d *Descriptor, k *Keys)
		want   error
	}{
		"nickname":           {func(d *Descriptor, k *Keys) { d.Nickname = "a b" }, ErrNickname},
		"no address":         {func(d *Descriptor, k *Keys) { d.OR = netip.AddrPort{} }, ErrAddress},
		"unspecified":        {func(d *Descriptor, k *Keys) { d.OR = netip.MustParseAddrPort("0.0.0.0:1") }, ErrAddress},
		"IPv6 for IPv4":      {func(d *Descriptor, k *Keys) { d.OR = d.OR6 }, ErrAddress},
		"other signing key":  {func(d *Descriptor, k *Keys) { k.Signing = other.keys.Signing }, ErrMismatch},
		"RSA signing key":    {func(d *Descriptor, k *Keys) { k.Signing = k.Identity }, ErrMismatch},
		"other certificate":  {func(d *Descriptor, k *Keys) { k.SigningCert = &torcert.Cert{} }, torcert.ErrType},
		"large RSA key":      {func(d *Descriptor, k *Keys) { k.Identity = large }, rsakey.ErrSize},
		"large onion key":    {func(d *Descriptor, k *Keys) { k.Onion = large }, rsakey.ErrSize},
		"other curve":        {func(d *Descriptor, k *Keys) { k.Ntor = p256 }, ErrMismatch},
		"no ntor key":        {func(d *Descriptor, k *Keys) { k.Ntor = nil }, ErrMismatch},
		"RSA family key":     {func(d *Descriptor, k *Keys) { k.Family = []crypto.Signer{k.Identity} }, torcert.ErrWrongKey},
		"line in contact":    {func(d *Descriptor, k *Keys) { d.Contact = "a\nb" }, netdoc.ErrUnsafe},
		"line in a member":   {func(d *Descriptor, k *Keys) { d.Family = []string{"a\nb"} }, netdoc.ErrUnsafe},
		"bridge request":     {func(d *Descriptor, k *Keys) { d.BridgeDistribution = "a b" }, netdoc.ErrUnsafe},
		"space in protocols": {func(d *Descriptor, k *Keys) { d.Protocols = "\r" }, netdoc.ErrUnsafe},
	} {
		d, k := r.d, r.keys
		tt.change(&d, &k)
		if text, err := Make(&d, &k); !errors.Is(err, tt.want) || text != nil {
			t.Errorf("%s: got %q, %v, want %v", name, text, err, tt.want)
		}
	}
}

// https://spec.torproject.org/dir-spec/converting-to-ed25519.html
func TestNtorSigner(t *testing.T) {
	for range 20 {
		key, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s, err := newNtorSigner(key)
		if err != nil {
			t.Fatal(err)
		}
		pub, err := torcert.EdFromX25519([32]byte(key.PublicKey().Bytes()), s.sign())
		if err != nil || !bytes.Equal(pub[:], s.Public().(ed25519.PublicKey)) {
			t.Fatalf("public key %x, want %x, %v", pub, s.Public(), err)
		}
		sig, err := s.Sign(nil, []byte("message"), crypto.Hash(0))
		if err != nil || !ed25519.Verify(pub[:], []byte("message"), sig) {
			t.Fatalf("bad signature, %v", err)
		}
		pub[31] ^= 0x80
		if ed25519.Verify(pub[:], []byte("message"), sig) {
			t.Fatal("the other sign is good too")
		}
	}
	s, err := newNtorSigner(newRelay(t).keys.Ntor)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(nil, make([]byte, 64), crypto.SHA512); err == nil {
		t.Error("a digest is signed")
	}
}
