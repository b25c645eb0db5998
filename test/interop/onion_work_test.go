package interop_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/hsenc"
	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// effort is what the service asks for in whose descriptor askEffort has written it.
const effort = 64

// efforts are what hosts say of those who wait to be met.
var efforts = map[string]*regexp.Regexp{
	theirs: regexp.MustCompile(`Adding introduction request to pqueue with effort: (\d+)`),
	ours:   regexp.MustCompile(`client waits in the queue: .*effort=(\d+)`),
}

// mostEffort is the most that a client has made, in the log of a host.
func mostEffort(program, log string) (most int) {
	for _, m := range efforts[program].FindAllStringSubmatch(log, -1) {
		n, err := strconv.Atoi(m[1])
		if err == nil {
			most = max(most, n)
		}
	}
	return most
}

// askEffort publishes the descriptor of a service with another effort. Hosts ask for one when many clients have waited for five
// minutes, which TestOnionRollover waits for; all that a client and a host do with it is the same here.
//
// https://spec.torproject.org/hspow-spec/index.html
func (b *onionBed) askEffort(t *testing.T, h *onionHost) {
	t.Helper()
	node := b.strangers[theirs]
	c := dialControl(t, node)
	use := calmUse(t, c)
	file, err := os.ReadFile(filepath.Join(h.keys("work"), "hs_ed25519_secret_key"))
	must(t, err)
	identity, err := keyfile.ParseEdSecret(file, keyfile.TagMaster)
	must(t, err)
	addr := strings.TrimSuffix(h.address(t, "work"), ".onion")
	blinded, err := hskeys.BlindSecret(identity, use.Period)
	must(t, err)
	waitLog(t, node, "Received v3 hsdesc", 1, "HSFETCH "+addr)
	lines, err := c.GetInfo("hs/client/desc/id/" + addr)
	must(t, err)
	outer, err := hsdesc.ParseOuter([]byte(strings.Join(lines, "\n")+"\n"), 50000, time.Now())
	must(t, err)
	text := raiseEffort(t, identity, blinded, outer, use.Since)

	servers := ""
	count := 0
	for _, relay := range b.net.Nodes() {
		if relay.Role != testnet.Client {
			servers += " SERVER=" + relay.Fingerprint
			count++
		}
	}
	waitLog(t, node, "finished with status 200", count, "+HSPOST"+servers+" HSADDRESS="+addr+"\r\n"+strings.ReplaceAll(text, "\n", "\r\n")+".")
}

// waitLog gives a node of C tor a command, and waits until its log has a text so many times more.
func waitLog(t *testing.T, node *testnet.Node, text string, more int, command string) {
	t.Helper()
	before := strings.Count(readLog(t, node), text)
	_, err := dialControl(t, node).Do(command)
	must(t, err)
	for ctx := deadline(t, taskTimeout); strings.Count(readLog(t, node), text) < before+more; {
		select {
		case <-ctx.Done():
			t.Fatalf("%s does not say %q", node.Name, text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// calmUse waits until no time period has begun or begins in a while, and returns the one that all use.
func calmUse(t *testing.T, c *ctor.Control) hskeys.Use {
	t.Helper()
	for ctx := deadline(t, 2*taskTimeout); ; {
		validAfter, freshUntil := consensusTime(t, c, "valid-after"), consensusTime(t, c, "fresh-until")
		clock, err := hskeys.NewClock(validAfter, freshUntil.Sub(validAfter), 1440, true)
		must(t, err)
		p := clock.Period()
		if time.Since(clock.PeriodStart(p)) > 2*voting && time.Until(clock.PeriodStart(p.Next())) > 2*voting {
			return clock.Fetch()
		}
		select {
		case <-ctx.Done():
			t.Fatal("time periods are too short")
		case <-time.After(time.Second):
		}
	}
}

// raiseEffort makes a version of a descriptor that is later than any that its service has made.
func raiseEffort(t *testing.T, identity, blinded *keyfile.EdSecret, outer *hsdesc.Outer, since time.Time) string {
	t.Helper()
	now := time.Now()
	subcredential := hskeys.Subcredential(identity.ID(), blinded.ID())
	in, err := hsenc.Open(outer, subcredential, nil, now)
	must(t, err)
	if in.PoW == nil {
		t.Fatal("the descriptor asks for no proof of work")
	}
	in.PoW.Effort = effort
	pub, signing, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	cert, err := hsenc.NewCert(torcert.TypeHSSigning, [32]byte(pub), blinded, now)
	must(t, err)
	for i := range in.Points {
		p := &in.Points[i]
		p.AuthCert, err = hsenc.NewCert(torcert.TypeHSIntroAuth, p.AuthCert.Key, signing, now)
		must(t, err)
		p.EncCert, err = hsenc.NewEncCert(p.EncKey, signing, now)
		must(t, err)
	}
	revision, err := hskeys.RevisionCounter(blinded, since, now.Add(2*time.Second))
	must(t, err)
	auth, err := hsenc.NewAuth(rand.Reader, subcredential, nil)
	must(t, err)
	out, err := auth.Seal(rand.Reader, hsenc.Version{Cert: cert, Signing: signing, Revision: revision}, in, 50000)
	must(t, err)
	return string(out)
}
