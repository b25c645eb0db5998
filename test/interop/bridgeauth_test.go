package interop_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/wire/extrainfo/extrainfotest"
)

const (
	bridgePassword = "metrics:a secret"
	bridgesPath    = "/tor/networkstatus-bridges"
)

// bridgeAuthorities are nodes of C tor and of ours. For others they are relays.
var bridgeAuthorities = []string{"relay1", "relay2"}

type bridgeAuthority struct {
	*testnet.Node
	dirPort string
}

// TestBridgeAuthority has a bridge of C tor publish to bridge authorities of both programs, which must think, store and answer
// the same. Ours finds out by itself that the bridge runs.
func TestBridgeAuthority(t *testing.T) {
	ctor.Require(t, "tor", "tor-gencert")
	if testing.Short() {
		t.Skip("a network takes half a minute")
	}
	bin := build(t)
	auths := []*bridgeAuthority{{dirPort: freePort(t)}, {dirPort: freePort(t)}}
	torrc := map[string][]string{}
	for i, a := range auths {
		torrc[bridgeAuthorities[i]] = []string{"DirPort " + a.dirPort, "AuthoritativeDirectory 1", "BridgeAuthoritativeDir 1", "BridgePassword " + bridgePassword}
	}
	n, err := testnet.Start(deadline(t, startTimeout), testnet.Config{
		Authorities: 1, Relays: 4, Exits: 1, Clients: testnet.None, Bins: map[string]string{testnet.All: bin, bridgeAuthorities[0]: "tor"}, Torrc: torrc,
		Dir: os.Getenv("TROPEA_INTEROP_DIR"),
	})
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	var lines []string
	for i, a := range auths {
		a.Node = n.Node(bridgeAuthorities[i])
		showLog(t, a.Node)
		_, orPort, _ := net.SplitHostPort(a.ORPort)
		lines = append(lines, fmt.Sprintf("DirAuthority %s bridge orport=%s %s %s", a.Name, orPort, a.dirPort, a.Fingerprint))
	}
	ours := auths[1]

	bridge, err := n.Add(deadline(t, joinTimeout), testnet.NodeConfig{
		Name: "relay9", Bin: "tor", Torrc: append(lines, "BridgeRelay 1", "PublishServerDescriptor bridge", "BridgeDistribution none"),
	})
	must(t, err)
	showLog(t, bridge)
	must(t, bridge.WaitReady(deadline(t, joinTimeout)))
	publish(t, bridge)
	for _, a := range auths {
		a.await(t, "\ns Running V2Dir Valid\n")
	}

	// Requests, with and without what they need.
	right := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(bridgePassword)) + "\r\n"
	wrong := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("metrics:another")) + "\r\n"
	descriptor := "/tor/server/fp/" + bridge.Fingerprint
	for _, tt := range []struct {
		name, path, headers string
		plain               bool // at the DirPort
	}{
		{"list", bridgesPath, right, false},
		{"wrong password", bridgesPath, wrong, false},
		{"no password", bridgesPath, "", false},
		{"descriptor", descriptor, "", false},
		{"descriptor in the clear", descriptor, "", true},
		{"all descriptors", "/tor/server/all", "", false},
		{"all descriptors in the clear", "/tor/server/all", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var answers []string
			for _, a := range auths {
				answers = append(answers, varying.ReplaceAllString(a.request(t, tt.plain, tt.path, tt.headers), ""))
			}
			if strings.HasSuffix(tt.path, "/all") { // they need not have the same relays
				for i, a := range answers {
					if strings.Contains(a, "router relay9 ") {
						t.Errorf("%s gives out the bridge", auths[i].Name)
					}
				}
				return
			}
			if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
				t.Errorf("answer (-C tor +ours):\n%s", diff)
			}
		})
	}
	// C tor leaves these without an answer.
	for _, answer := range []string{
		ours.request(t, true, bridgesPath, right),
		ours.request(t, false, "/tor/extra/fp/"+bridge.Fingerprint, ""), ours.request(t, false, "/tor/extra/authority", ""),
	} {
		if !strings.HasPrefix(answer, "HTTP/1.0 404") {
			t.Errorf("not refused: %q", answer)
		}
	}

	// After a start they still know the bridge, but not whether it runs, and write so.
	must(t, bridge.Stop())
	var files [2][]string
	for i, a := range auths {
		file := filepath.Join(ctor.DataDir(a.Dir), "networkstatus-bridges")
		must(t, a.Stop())
		must(t, os.Remove(file))
		must(t, a.Restart(deadline(t, joinTimeout)))
		text := awaitFile(t, file) + stored(t, a.Node)
		text = changing.ReplaceAllString(strings.ReplaceAll(text, a.Fingerprint, "FINGERPRINT"), "$1 _")
		files[i] = strings.Split(text, "\n")
	}
	if diff := cmp.Diff(files[0], files[1]); diff != "" || len(files[0]) < 12 {
		t.Errorf("files (-C tor +ours):\n%s", diff)
	}
	t.Logf("what both write:\n%s", strings.Join(files[1], "\n"))

	t.Run("uploads", func(t *testing.T) { testBridgeUploads(t, auths) })
}

// testBridgeUploads uploads what is good and what is not. Both programs must say the same of it, and list only what is good.
func testBridgeUploads(t *testing.T, auths []*bridgeAuthority) {
	now := time.Now().UTC().Truncate(time.Second)
	good, evil := extrainfotest.New("good"), extrainfotest.New("evil")
	desc, extra := good.Publish(now)
	older, _ := good.Publish(now.Add(-time.Hour))
	evilDesc, evilExtra := evil.Publish(now)
	future, _ := evil.Publish(now.Add(13 * time.Hour))
	past, _ := evil.Publish(now.Add(-25 * time.Hour))
	for _, tt := range []struct{ name, body string }{
		{"nothing", ""},
		{"garbage", "router evil\n"},
		{"no text", "\xff\xfe" + string(evilDesc)},
		{"general by its own word", "@purpose general\n" + string(evilDesc)},
		{"bridge by its own word", "@purpose bridge\n" + string(evilDesc)},
		{"another name", strings.Replace(string(evilDesc), "router evil ", "router good ", 1)},
		{"cut off", string(evilDesc[:len(evilDesc)-20])},
		{"of the future", string(future)},
		{"of the past", string(past)},
		{"extra-info of nobody", string(evilExtra)},
		{"good", string(desc) + string(extra)},
		{"once more", string(desc)},
		{"older", string(older)},
		{"good with bad", string(desc) + string(future)},
	} {
		var answers []string
		for _, a := range auths {
			answers = append(answers, regexp.MustCompile(`(?m)^Date: .*\n`).ReplaceAllString(a.ask(t, false, fmt.Sprintf("POST /tor/ HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s", len(tt.body), tt.body)), ""))
		}
		if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
			t.Errorf("%s (-C tor +ours):\n%s", tt.name, diff)
		}
	}
	for _, a := range auths {
		a.await(t, "r good ")
		if list := a.list(t); strings.Contains(list, " evil ") {
			t.Errorf("%s lists\n%s", a.Name, list)
		}
	}
}

// publish makes C tor publish another descriptor: the first one it may have tried to send before it knew the network.
func publish(t *testing.T, node *testnet.Node) {
	t.Helper()
	c, err := node.Control(deadline(t, taskTimeout))
	must(t, err)
	defer c.Close()
	_, err = c.Do("SETCONF ContactInfo=bridge@example.test")
	must(t, err)
}

// changing are the figures that depend on the second.
var changing = regexp.MustCompile(`(?m)(^published|^@uploaded-at|stable-uptime=|stable-mtbf=|guard-wfu=|guard-tk=) ?[-0-9:. %]*[0-9%]`)

// varying are the headers that depend on the time and on how the answer was made.
var varying = regexp.MustCompile(`(?m)^(Date|Expires|X-Your-Address-Is|Content-Length): .*\n`)

// stored is what a bridge authority has on disk of the bridge: the annotations and first line of the newest descriptor, and
// the first line of the extra-info document.
func stored(t *testing.T, node *testnet.Node) (found string) {
	t.Helper()
	for _, kind := range []struct{ file, pattern string }{
		{"cached-descriptors", `(?m)(^@.*\n)+router relay9 .*\n`}, {"cached-extrainfo", `(?m)(^@.*\n)*^extra-info relay9 .*\n`},
	} {
		var last string
		for _, file := range []string{kind.file, kind.file + ".new"} {
			text, err := os.ReadFile(filepath.Join(ctor.DataDir(node.Dir), file))
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			for _, last = range regexp.MustCompile(kind.pattern).FindAllString(string(text), -1) {
			}
		}
		found += last
	}
	return found
}

// await waits until an authority lists something of a bridge.
func (a *bridgeAuthority) await(t *testing.T, what string) {
	t.Helper()
	ctx := deadline(t, taskTimeout)
	for {
		answer := a.list(t)
		if strings.Contains(answer, what) {
			return
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s does not list %q:\n%s", a.Name, what, answer)
		}
	}
}

// list is what an authority thinks of bridges.
func (a *bridgeAuthority) list(t *testing.T) string {
	t.Helper()
	return a.request(t, false, bridgesPath, "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(bridgePassword))+"\r\n")
}

func awaitFile(t *testing.T, name string) string {
	t.Helper()
	ctx := deadline(t, taskTimeout)
	for {
		text, err := os.ReadFile(name)
		if err == nil && len(text) > 0 {
			return string(text)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}

// request asks for a document.
func (a *bridgeAuthority) request(t *testing.T, plain bool, path, headers string) string {
	t.Helper()
	return a.ask(t, plain, "GET "+path+" HTTP/1.0\r\nAccept-Encoding: identity\r\n"+headers+"\r\n")
}

// ask makes a request in a stream to the directory of a relay, or at its DirPort, and returns the whole answer.
func (a *bridgeAuthority) ask(t *testing.T, plain bool, request string) string {
	t.Helper()
	ctx := deadline(t, taskTimeout)
	var conn net.Conn
	var err error
	if plain {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", a.dirPort)
	} else {
		conn, err = beginDir(t, ctx, a.Node)
	}
	must(t, err)
	defer conn.Close()
	context.AfterFunc(ctx, func() { conn.Close() })
	_, err = io.WriteString(conn, request)
	must(t, err)
	answer, err := io.ReadAll(conn)
	must(t, err)
	return string(answer)
}

// beginDir opens a stream to the directory of a relay, over a link of its own.
func beginDir(t *testing.T, ctx context.Context, node *testnet.Node) (net.Conn, error) {
	log := slog.New(slog.DiscardHandler)
	links := link.NewRegistry(link.Config{
		Env:        env.Env{Net: netx.OS{}, Now: time.Now, Log: log},
		NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, log) },
	})
	t.Cleanup(links.Close)
	rsa, err := hex.DecodeString(node.Fingerprint)
	must(t, err)
	l, err := links.Get(ctx, link.Target{Addrs: []netip.AddrPort{netip.MustParseAddrPort(node.ORPort)}, RSA: [20]byte(rsa), HasRSA: true})
	if err != nil {
		return nil, err
	}
	c, err := circuit.CreateFast(ctx, l, circuit.Options{})
	if err != nil {
		return nil, err
	}
	return c.Tunnel().ConnectDir()
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}
