package interop_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// allVotes makes TestAuthorities try all mixes of authorities, for so many intervals each.
var allVotes = flag.Int("votes", 0, "let each mix of authorities vote so `many` times; otherwise one mix votes four times")

// TestAuthorities has authorities of both programs vote together, while relays come, go and change. Each interval all of them
// must publish the same consensus, in both flavors, with good signatures of all.
func TestAuthorities(t *testing.T) {
	ctor.Require(t, "tor")
	if testing.Short() {
		t.Skip("a network takes half a minute")
	}
	bin := build(t)
	mixes, votes := [][]string{{"authority2", "authority3"}}, 4
	if *allVotes > 0 {
		mixes, votes = [][]string{{"authority3"}, {"authority2", "authority3"}, {"authority1", "authority2", "authority3"}}, *allVotes
	}
	for _, ours := range mixes {
		t.Run(fmt.Sprintf("%d of 3", len(ours)), func(t *testing.T) { testAuthorities(t, bin, ours, votes) })
	}
}

// voting is the interval of the network.
const voting = 10 * time.Second

func testAuthorities(t *testing.T, bin string, ours []string, votes int) {
	bins := map[string]string{"authority": "tor", "relay": "tor", "exit": "tor", "relay3": bin, "exit2": bin, "client": "tor"}
	for _, name := range ours {
		bins[name] = bin
	}
	n, err := testnet.Start(deadline(t, startTimeout), testnet.Config{
		Authorities: 3, Relays: 3, Exits: 2, Clients: 1, Bins: bins, Voting: voting,
	})
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	b := &bed{net: n, web: newWeb(t)}
	for _, name := range ours {
		showLog(t, n.Node(name))
	}
	at := n.NextConsensus(time.Now())
	for i := range votes {
		b.change(t, i, bin)
		c := b.sameConsensus(t, at)
		t.Logf("consensus of %v: %d relays, %d signatures, shared random %v", at.Format(time.TimeOnly), len(c.Relays), len(c.Signatures), c.CurrentSRV != nil)
		at = at.Add(voting)
	}
	// Clients of both programs find their way by what our authorities publish.
	for _, client := range []testnet.NodeConfig{{Name: "client8", Bin: "tor"}, {Name: "client9", Bin: bin}} {
		node := b.add(t, client)
		must(t, download(deadline(t, taskTimeout), viaGo, proxyURL(node.SOCKS, client.Name), b.web.url(b.name(client.Name), "/body"), client.Name, 100_000))
	}
	for _, node := range n.Nodes() {
		for line := range strings.Lines(readLog(t, node)) {
			if badVotes.MatchString(line) {
				t.Errorf("%s: %s", node.Name, line)
			}
		}
	}
}

// badVotes is what C tor says of documents of ours that are wrong, and not only late. A relay with other keys at its old address,
// which is one of the changes, is warned of too, and rightly.
var badVotes = regexp.MustCompile(`(?i)\[warn\].*(parse|bad valid-after|not from a recognized|digest|mismatch|unable to add signatures|bad signature|couldn't generate|bug:)`)

// change does something to the relays before a vote.
func (b *bed) change(t *testing.T, i int, bin string) {
	t.Helper()
	restarted := func(name string, torrc ...string) {
		node := b.net.Node(name)
		must(t, node.Stop())
		node.SetTorrc(torrc...)
		must(t, node.Restart(deadline(t, joinTimeout)))
	}
	switch i % 8 {
	case 0:
		_, err := b.net.Add(deadline(t, joinTimeout), testnet.NodeConfig{
			Name: fmt.Sprintf("relay%d", 7+i), Bin: bin, Torrc: []string{"MyFamily " + b.fingerprints("relay1", "exit1"), "ContactInfo family@example.test"},
		})
		must(t, err)
	case 1:
		must(t, b.net.Node("relay2").Stop())
	case 2:
		restarted("relay2", "ContactInfo someone@example.test", "MyFamily "+b.fingerprints("relay1"))
		restarted("exit1", "ExitPolicy reject *:25,reject *:119", "IPv6Exit 1")
	case 3: // a relay with other keys
		node := b.net.Node("relay3")
		must(t, node.Stop())
		must(t, os.RemoveAll(filepath.Join(ctor.DataDir(node.Dir), "keys")))
		must(t, node.Restart(deadline(t, joinTimeout)))
	case 4:
		restarted("exit1", "ExitPolicy reject *:*")
	case 5:
		must(t, b.net.Node(fmt.Sprintf("relay%d", 7+i-5)).Stop())
	case 6:
		restarted("exit1", "ExitPolicy accept *:80,reject *:*")
	}
}

// sameConsensus waits for the consensus of a time, and checks that all authorities publish the same one.
func (b *bed) sameConsensus(t *testing.T, at time.Time) *consensus.Consensus {
	t.Helper()
	var first *consensus.Consensus
	for _, flavor := range []string{"", "-microdesc"} {
		var body []byte
		for _, name := range []string{"authority1", "authority2", "authority3"} {
			node := b.net.Node(name)
			text, c := awaitConsensus(t, node, flavor, at)
			v := c.Verify(b.keyring(t, node))
			if len(v.Good) != 3 {
				t.Errorf("%s, consensus%s of %v: %d good signatures, bad ones of %x, %d missing certificates", name, flavor, at, len(v.Good), v.Bad, len(v.Missing))
			}
			signed := consensus.SignedPart(text)
			if body == nil {
				body = signed
			}
			if first == nil {
				first = c
			}
			if !bytes.Equal(body, signed) {
				t.Errorf("%s has another consensus%s of %v:\n%s", name, flavor, at, firstDifference(body, signed))
			}
		}
	}
	return first
}

// firstDifference shows the first lines in which two texts differ.
func firstDifference(a, b []byte) string {
	x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return "- " + x[i] + "\n+ " + y[i]
		}
	}
	return "one is longer"
}

// awaitConsensus waits until an authority serves the consensus of a time.
func awaitConsensus(t *testing.T, node *testnet.Node, flavor string, at time.Time) ([]byte, *consensus.Consensus) {
	t.Helper()
	ctx := deadline(t, taskTimeout)
	for {
		text, err := getDir(ctx, node, "/tor/status-vote/current/consensus"+flavor)
		if err == nil {
			c, err := consensus.Parse(text)
			must(t, err)
			switch {
			case c.ValidAfter.Equal(at):
				return text, c
			case c.ValidAfter.After(at):
				t.Fatalf("%s has no consensus of %v, but one of %v", node.Name, at, c.ValidAfter)
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s publishes no consensus of %v: %v", node.Name, at, err)
		}
	}
}

// getDir asks an authority at its DirPort.
func getDir(ctx context.Context, node *testnet.Node, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+node.DirPort+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// keyring holds the certificates that an authority knows.
func (b *bed) keyring(t *testing.T, node *testnet.Node) *consensus.Keyring {
	t.Helper()
	text, err := getDir(deadline(t, taskTimeout), node, "/tor/keys/all")
	must(t, err)
	keys := map[consensus.KeyID]*rsa.PublicKey{}
	k := &consensus.Keyring{Key: func(id consensus.KeyID) *rsa.PublicKey { return keys[id] }}
	for part := range authcert.Split(text) {
		cert, err := authcert.Parse(part)
		must(t, err)
		keys[consensus.KeyID{Identity: cert.Fingerprint, SigningKey: cert.SigningFP}] = cert.Signing
		k.Trusted = append(k.Trusted, cert.Fingerprint)
	}
	return k
}
