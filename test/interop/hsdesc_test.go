package interop_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/hsenc"
	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/protover"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// testOnionDescriptors has C tor upload descriptors that we made, fetch them again and decrypt them. It finds out itself which
// directories are responsible, and takes no descriptor that it cannot read to the end.
func testOnionDescriptors(t *testing.T, b *bed) {
	up, down := dialControl(t, b.net.Node("relay1")), dialControl(t, b.net.Node("relay2"))
	client, err := x25519.Generate(rand.Reader)
	must(t, err)
	secret := client.Secret()
	for _, tt := range []struct {
		name    string
		clients [][32]byte
	}{
		{"for everybody", nil},
		{"for an authorized client", [][32]byte{client.Public()}},
	} {
		// A new time period may begin in between; the next attempt is in it.
		var addr, text string
		ok := false
		for attempt := 0; attempt < 3 && !ok; attempt++ {
			addr, text = onionDescriptor(t, up, tt.clients)
			_, err := up.Do("+HSPOST HSADDRESS=" + addr + "\r\n" + strings.ReplaceAll(text, "\n", "\r\n") + ".")
			must(t, err)
			ok = fetchDescriptor(t, down, addr, text)
		}
		if !ok {
			t.Errorf("%s: C tor does not get the descriptor of %s:\n%s", tt.name, addr, text)
			continue
		}
		if tt.clients == nil {
			continue
		}
		reply, err := down.Do("ONION_CLIENT_AUTH_ADD " + addr + " x25519:" + base64.StdEncoding.EncodeToString(secret[:]))
		if err != nil || reply[0] != "Registered client and decrypted desc" {
			t.Errorf("%s: with the key of the client, C tor says %q, %v", tt.name, reply, err)
		}
	}
}

func dialControl(t *testing.T, node *testnet.Node) *ctor.Control {
	t.Helper()
	c, err := ctor.DialControl(t.Context(), node.ControlPort, node.Dir)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// fetchDescriptor has C tor fetch a descriptor until it has the one that is wanted. The upload may be on its way still.
func fetchDescriptor(t *testing.T, c *ctor.Control, addr, text string) bool {
	t.Helper()
	want := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for end := time.Now().Add(taskTimeout / 2); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if got, err := c.GetInfo("hs/client/desc/id/" + addr); err == nil && slices.Equal(got, want) {
			return true
		}
		if _, err := c.Do("HSFETCH " + addr); err != nil {
			t.Logf("HSFETCH: %v", err)
		}
	}
	return false
}

// onionDescriptor makes the descriptor of a new service for the current time period.
func onionDescriptor(t *testing.T, c *ctor.Control, clients [][32]byte) (addr, text string) {
	t.Helper()
	validAfter, freshUntil := consensusTime(t, c, "valid-after"), consensusTime(t, c, "fresh-until")
	clock, err := hskeys.NewClock(validAfter, freshUntil.Sub(validAfter), 1440, true)
	must(t, err)
	identity, use, now := keyfile.GenerateEd(), clock.Fetch(), time.Now()
	blinded, err := hskeys.BlindSecret(identity, use.Period)
	must(t, err)
	revision, err := hskeys.RevisionCounter(blinded, use.Since, now)
	must(t, err)
	auth, err := hsenc.NewAuth(rand.Reader, hskeys.Subcredential(identity.ID(), blinded.ID()), clients)
	must(t, err)
	pub, signing, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	cert, err := hsenc.NewCert(torcert.TypeHSSigning, [32]byte(pub), blinded, now)
	must(t, err)

	in := &hsdesc.Inner{
		FlowControl: &hsdesc.FlowControl{Versions: protover.MustParse("FlowCtrl=1-2"), SendmeInc: 31},
		PoW:         &hsdesc.PoWParams{Seed: [32]byte{1}, Expires: now.Add(time.Hour)},
	}
	for range 3 {
		in.Points = append(in.Points, introPoint(t, signing, now))
	}
	out, err := auth.Seal(rand.Reader, hsenc.Version{Cert: cert, Signing: signing, Revision: revision}, in, 50000)
	must(t, err)
	return onionaddr.Address(identity.ID()).Label(), string(out)
}

// introPoint makes up an introduction point.
func introPoint(t *testing.T, signing crypto.Signer, now time.Time) hsdesc.IntroPoint {
	t.Helper()
	key, err := x25519.Generate(rand.Reader)
	must(t, err)
	enc := key.Public()
	authCert, err := hsenc.NewCert(torcert.TypeHSIntroAuth, keyfile.GenerateEd().ID(), signing, now)
	must(t, err)
	encCert, err := hsenc.NewEncCert(enc, signing, now)
	must(t, err)
	return hsdesc.IntroPoint{
		Specs:    []linkspec.Spec{linkspec.IPv4(netip.MustParseAddrPort("127.0.0.1:9")), linkspec.RSA([20]byte(enc[:])), linkspec.Ed25519(enc)},
		OnionKey: enc, AuthCert: authCert, EncKey: enc, EncCert: encCert,
	}
}

func consensusTime(t *testing.T, c *ctor.Control, what string) time.Time {
	t.Helper()
	reply, err := c.Do("GETINFO consensus/" + what)
	must(t, err)
	_, value, _ := strings.Cut(reply[0], "=")
	at, err := time.Parse(time.DateTime, value)
	must(t, err)
	return at
}
