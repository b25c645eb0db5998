package interop_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// The programs of a mix: ours, and C tor.
const (
	ours   = "tropea"
	theirs = "tor"
)

var programs = []string{theirs, ours}

// long tells whether tests are to do all that they can, which takes an hour.
var long = os.Getenv("TROPEA_LONG") == "1"

// TestOnions lets clients of either program use onion services of either, through relays of either: eight mixes, in a network of
// C tor and in one of ours. With TROPEA_LONG=1 each mix moves 100 MB in both directions; else one does, and the others 5 MB.
//
// https://spec.torproject.org/rend-spec/index.html
func TestOnions(t *testing.T) {
	ctor.Require(t, "tor")
	if testing.Short() {
		t.Skip("two networks take a minute")
	}
	bin := build(t)
	var table strings.Builder
	for _, relays := range programs {
		t.Run(relays+" relays", func(t *testing.T) {
			b := newOnionBed(t, relays, bin, "")
			b.start(t)
			for _, client := range programs {
				for _, host := range programs {
					m := &mix{b: b, client: b.clients[client], stranger: b.strangers[client], host: b.hosts[host]}
					b.mixes = append(b.mixes, m)
					t.Run(client+" to "+host, m.test)
				}
			}
			for _, host := range programs {
				if long {
					t.Run(host+" is killed", func(t *testing.T) {
						b.testRestart(t, b.hosts[host], func(p *ctor.Process) error { p.Kill(); return nil })
					})
				}
				t.Run(host+" restarts", func(t *testing.T) { b.testRestart(t, b.hosts[host], (*ctor.Process).Stop) })
			}
			// Behind the restarts: a relay of C tor that has many DESTROY cells for a link keeps all but one until it has others to send.
			for _, m := range b.mixes {
				t.Run(programOf(m.client)+" to "+m.host.program+", much", m.testMuch)
			}
			if relays == theirs {
				t.Run("library", func(t *testing.T) { testListen(t, b.bed, b.clients[theirs].SOCKS) })
				t.Run("tropea onion", func(t *testing.T) { testOnionVerb(t, b.bed, bin, b.clients[theirs].SOCKS) })
			}
			t.Run("padding", func(t *testing.T) {
				if relays == ours {
					testPaddingOfOurs(t, b.clients[theirs])
				} else {
					testPaddingOfTheirs(t, b.bed, b.clients[ours])
				}
			})
			t.Run("one hop", func(t *testing.T) { b.testSingle(t) })
			t.Run("reload", func(t *testing.T) { b.testReload(t, b.hosts[ours]) })
			b.checkLogs(t)
			for _, m := range b.mixes {
				fmt.Fprintln(&table, m.row())
			}
		})
	}
	t.Logf("%s\n%s", mixHeader, table.String())
}

// An onionBed is a network whose relays are of one program, with a host of onion services of each program, and two clients:
// one that services know, and a stranger.
type onionBed struct {
	*bed
	relays, bin string
	work        []string        // more about the service that asks for proofs of work
	files       string          // has the keys of the services
	socket      string          // of a web server
	dirs        int             // how many directories take the descriptor of a time period
	known, bad  *x25519.KeyPair // keys of clients
	hosts       map[string]*onionHost
	clients     map[string]*testnet.Node
	strangers   map[string]*testnet.Node
	others      []*onionHost // that have to be without protocol warnings, too
	mixes       []*mix
}

func newOnionBed(t *testing.T, relays, bin, name string) *onionBed {
	t.Helper()
	bins := map[string]string{testnet.All: theirs}
	if relays == ours {
		bins[testnet.All] = bin
	}
	dir := os.Getenv("TROPEA_INTEROP_DIR")
	if dir != "" {
		dir = filepath.Join(dir, cmp.Or(name, "onions")+"-"+relays)
	}
	begin := time.Now()
	n, err := testnet.Start(deadline(t, startTimeout), testnet.Config{
		Authorities: 3, Relays: 4, Exits: 1, Clients: testnet.None, Bins: bins, Dir: dir,
	})
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	t.Logf("the network is up after %v", time.Since(begin).Round(time.Millisecond))
	b := &onionBed{
		bed: &bed{net: n, web: newWeb(t)}, relays: relays, bin: bin, files: n.Dir(), dirs: 8,
		hosts: map[string]*onionHost{}, clients: map[string]*testnet.Node{}, strangers: map[string]*testnet.Node{},
	}
	return b
}

// program is the file of a program.
func (b *onionBed) program(t *testing.T, name string) string {
	t.Helper()
	if name == ours {
		return b.bin
	}
	tor, err := ctor.Find(theirs)
	must(t, err)
	return tor
}

// start starts hosts, and clients with these lines of torrc.
func (b *onionBed) start(t *testing.T, more ...string) {
	t.Helper()
	b.serveSocket(t)
	secret := [32]byte{15: 1}
	b.known = x25519.FromSecret(&secret)
	secret = [32]byte{15: 2}
	b.bad = x25519.FromSecret(&secret)
	var wg sync.WaitGroup
	for _, program := range programs {
		h := b.newHost(t, program, program+"-host", b.services(program)...)
		for _, name := range []string{"known", "closed"} {
			writeClient(t, h.keys(name), b.known.Public())
		}
		b.hosts[program] = h
		must(t, h.start())
		wg.Go(func() {
			if err := h.wait(deadline(t, startTimeout), 4); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for i, program := range programs {
		client, stranger := "client"+fmt.Sprint(i+1), "client"+fmt.Sprint(i+3)
		right, wrong := map[string]*x25519.KeyPair{}, map[string]*x25519.KeyPair{}
		for _, h := range b.hosts {
			right[h.address(t, "known")] = b.known
			wrong[h.address(t, "known")] = b.bad // and none for "closed"
		}
		b.clients[program] = b.add(t, testnet.NodeConfig{Name: client, Bin: b.program(t, program), Torrc: append(append(patient(program), more...), "ClientOnionAuthDir "+authDir(t, right))})
		b.strangers[program] = b.add(t, testnet.NodeConfig{
			Name: stranger, Bin: b.program(t, program), Torrc: append(append(patient(program), more...), extendedErrors, "ClientOnionAuthDir "+authDir(t, wrong)),
		})
	}
}

// services are what each host has: for everybody, for whom it knows, for others whom it knows, and for whoever has worked.
func (b *onionBed) services(program string) []string {
	web, keys := b.web.target(loopback), func(name string) string { return filepath.Join(b.files, program+"-host", "service", name) }
	return append([]string{
		"HiddenServiceDir " + keys("open"), "HiddenServicePort 80 " + web, "HiddenServicePort 8080 " + web,
		"HiddenServicePort 81 unix:" + b.socket, "HiddenServiceEnableIntroDoSDefense 1",
		"HiddenServiceDir " + keys("known"), "HiddenServicePort 80 " + web,
		"HiddenServiceDir " + keys("closed"), "HiddenServicePort 80 " + web,
		"HiddenServiceDir " + keys("work"), "HiddenServicePort 80 " + web, "HiddenServicePoWDefensesEnabled 1",
	}, b.work...)
}

// testSingle has all clients reach services that do not hide, at rendezvous points that are linked to their host.
func (b *onionBed) testSingle(t *testing.T) {
	for _, program := range programs {
		h := b.newHost(t, program, program+"-single", "HiddenServiceNonAnonymousMode 1", "HiddenServiceSingleHopMode 1",
			"HiddenServiceDir "+filepath.Join(b.files, program+"-single", "service", "single"), "HiddenServicePort 80 "+b.web.target(loopback))
		must(t, h.start())
		must(t, h.wait(deadline(t, startTimeout), 1))
		b.others = append(b.others, h)
		for _, client := range programs {
			must(t, b.get(t, b.clients[client], "single", h.address(t, "single"), 1<<20))
		}
	}
}

// get downloads from a service.
func (b *onionBed) get(t *testing.T, client *testnet.Node, user, host string, size int64) error {
	return download(deadline(t, bulkTimeout), viaGo, proxyURL(client.SOCKS, user), "http://"+host+"/body", user, size)
}

// testReload gives a running host other services.
func (b *onionBed) testReload(t *testing.T, h *onionHost) {
	client := b.clients[theirs]
	was := h.address(t, "known")
	must(t, b.get(t, client, "before", was, 1000))
	services := append(b.services(h.program)[:5:5], "HiddenServiceDir "+h.keys("added"), "HiddenServicePort 80 "+b.web.target(loopback))
	must(t, h.reload(services))
	must(t, h.wait(deadline(t, startTimeout), 5))
	must(t, b.get(t, client, "added", h.address(t, "added"), 100_000))
	must(t, b.get(t, client, "kept", h.address(t, "open"), 100_000))
	if err := b.get(t, client, "removed", was, 1000); err == nil {
		t.Error("a service that was removed is still there")
	}
}

// checkLogs looks at what the programs say of each other.
func (b *onionBed) checkLogs(t *testing.T) {
	t.Helper()
	warnings, err := b.net.ProtocolWarnings()
	must(t, err)
	for _, h := range append(b.others, b.hosts[ours], b.hosts[theirs]) {
		log, err := h.proc.Log()
		must(t, err)
		for _, line := range ctor.ProtocolWarnings(log) {
			warnings = append(warnings, h.name+": "+line)
		}
	}
	for _, line := range warnings {
		switch {
		case documents.MatchString(line), strings.Contains(line, "Problem bootstrapping"): // before the first vote
		case portTaken.MatchString(line): // and the network has taken others
		case strings.Contains(line, "Client authorization for requested onion address is invalid"): // so it was
		// A descriptor that is decrypted after it came takes more room than C tor has counted (hs_cache_client_new_auth_parse).
		case strings.Contains(line, "Underflow in hs_cache_decrement_allocation"):
		case strings.Contains(line, "} Guard ") && strings.Contains(line, " is failing "): // since in a small network paths go to and fro
		// A host's next version is as old as that of askEffort, or older.
		case strings.Contains(line, "Uploading hidden service descriptor: http status 400"):
		case strings.Contains(line, "a"+strings.TrimSuffix(onion[1:], ".onion")+`" invalid checksum`): // which testRefused asks for
		default:
			t.Error("protocol warning: ", line)
		}
	}
	for _, node := range b.net.Nodes() {
		for line := range strings.Lines(readLog(t, node)) {
			if bad.MatchString(line) && ctor.IsTropea(node.Bin) && !portTaken.MatchString(line) {
				t.Errorf("%s: %s", node.Name, line)
			}
		}
	}
}

// portTaken is what a node says that has lost a port to another program.
var portTaken = regexp.MustCompile(`address already in use|Reading config failed--see warnings above`)
