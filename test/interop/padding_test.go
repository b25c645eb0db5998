package interop_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// What C tor's client says of padding, with the number of the circuit.
var (
	theirStart = regexp.MustCompile(`Negotiating padding on circuit (\d+) \(\d+\), command 2`)
	theirEnd   = regexp.MustCompile(`Negotiating padding on circuit (\d+) \(\d+\), command 1`)
	theirCell  = regexp.MustCompile(`Got padding cell on origin circuit (\d+)\.`)
	theirStop  = regexp.MustCompile(`Received STOP command on PADDING_NEGOTIATED for circuit (\d+)`)
	theirIntro = regexp.MustCompile(`Registering machine client_ip_circ to origin circ (\d+)`)
	theirRend  = regexp.MustCompile(`Registering machine client_rp_circ to origin circ (\d+)`)
	theirKept  = regexp.MustCompile(`Circuit (\d+) is not marked for close because of a pending padding machine`)
	theirBad   = regexp.MustCompile(`Middle node did not accept|wrong hop|wrong \(old\?\) machine|Ignored cell|malformed PADDING`)
)

// count returns how often a log says something, by what is in the first parentheses.
func count(log string, what *regexp.Regexp) map[string]int {
	n := map[string]int{}
	for _, m := range what.FindAllStringSubmatch(log, -1) {
		n[m[1]]++
	}
	return n
}

// testPaddingOfOurs looks at what a client of C tor has got from second relays that are ours: 7 to 9 cells and STOP on circuits to
// introduction points, one on those to rendezvous points.
//
// https://spec.torproject.org/padding-spec/circuit-level-padding.html
func testPaddingOfOurs(t *testing.T, client *testnet.Node) {
	last := regexp.MustCompile(`Received STOP command on PADDING_NEGOTIATED`)
	if _, err := client.Wait(deadline(t, taskTimeout), last); err != nil {
		t.Fatal(err)
	}
	log := readLog(t, client)
	started, cells, stopped, kept := count(log, theirStart), count(log, theirCell), count(log, theirStop), count(log, theirKept)
	intro, rend, ended := count(log, theirIntro), count(log, theirRend), count(log, theirEnd)
	done := 0
	for circ, n := range intro {
		if stopped[circ] == 0 {
			continue // it is under way, or the circuit went before it was over
		}
		done++
		// Where an introduction point refuses, the client ends the machine, and another one may follow.
		if cells[circ] < 7*n && ended[circ] == 0 || cells[circ] > 9*n || started[circ] != n {
			t.Errorf("circuit %s to an introduction point: %d machines, %d cells", circ, n, cells[circ])
		}
	}
	met := 0
	for circ, n := range rend {
		if n != 1 || cells[circ] > 1 {
			t.Errorf("circuit %s to a rendezvous point: %d machines, %d cells", circ, n, cells[circ])
		}
		met += cells[circ]
	}
	if done == 0 || met == 0 {
		t.Errorf("%d of %d circuits to introduction points padded, and %d of %d to rendezvous points", done, len(intro), met, len(rend))
	}
	for line := range strings.Lines(log) {
		if theirBad.MatchString(line) {
			t.Error(line)
		}
	}
	t.Logf("%d of %d circuits to introduction points padded, %d of them kept for it; %d of %d to rendezvous points",
		done, len(intro), len(kept), met, len(rend))
}

// What our client says of it, and what C tor's relays do.
var (
	ourAsk      = regexp.MustCompile(`negotiating circuit padding: .*command=2 machine=(\w+)`)
	ourAnswer   = regexp.MustCompile(`circuit padding negotiated: .*command=2 machine=(\w+) ctr=\d+ answer=1`)
	ourEnd      = regexp.MustCompile(`negotiating circuit padding: .*command=1 machine=(introduction)`)
	ourStop     = regexp.MustCompile(`circuit padding negotiated: .*command=1 machine=introduction ctr=\d+ answer=1 cells=(\d+)`)
	relayStart  = regexp.MustCompile(`Registering machine (relay_\w+) to non-origin circ`)
	relayPads   = regexp.MustCompile(`(Callback: Sending padding) to circuit`)
	ourRefusals = regexp.MustCompile(`circuit padding negotiated: .*answer=2|relay broke the circuit protocol`)
)

// testPaddingOfTheirs looks at what our client has got from second relays of C tor.
//
// https://spec.torproject.org/padding-spec/circuit-level-padding.html
func testPaddingOfTheirs(t *testing.T, b *bed, client *testnet.Node) {
	if _, err := client.Wait(deadline(t, taskTimeout), ourStop); err != nil {
		t.Fatal(err)
	}
	log := readLog(t, client)
	asked, answered, stopped := count(log, ourAsk), count(log, ourAnswer), count(log, ourStop)
	ended, odd := count(log, ourEnd)["introduction"], 0 // by us, since the point has refused; another one may follow
	for text, n := range stopped {
		if cells, err := strconv.Atoi(text); err != nil || cells < 7 || cells > 9 {
			odd += n
		}
	}
	if odd > 2*ended {
		t.Errorf("machines have sent %v cells, and we have ended %d", stopped, ended)
	}
	for _, machine := range []string{"introduction", "rendezvous"} {
		if asked[machine] == 0 || answered[machine] == 0 {
			t.Errorf("%s: asked %d times, answered %d times", machine, asked[machine], answered[machine])
		}
	}
	if line := ourRefusals.FindString(log); line != "" {
		t.Error(line)
	}
	started, sent := map[string]int{}, 0
	for _, node := range b.net.Nodes() {
		if node.Role == testnet.Client {
			continue
		}
		log := readLog(t, node)
		for machine, n := range count(log, relayStart) {
			started[machine] += n
		}
		sent += count(log, relayPads)["Callback: Sending padding"]
	}
	if started["relay_ip_circ"] == 0 || started["relay_rp_circ"] == 0 || sent == 0 {
		t.Errorf("C tor's relays: machines %v, %d cells", started, sent)
	}
	t.Logf("asked %v, answered %v, cells of introductions %v; relays: machines %v, %d cells", asked, answered, stopped, started, sent)
}
