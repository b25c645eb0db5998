package interop_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/testnet"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

const (
	onion = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
	// promptly is how soon a request fails that cannot succeed.
	promptly = 20 * time.Second
)

// page gets a body of the web server by a connection to it.
func page(conn net.Conn, seed string, size int64) error {
	conn.SetDeadline(time.Now().Add(taskTimeout))
	fmt.Fprintf(conn, "GET /body?seed=%s&size=%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", seed, size)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if want, _ := io.ReadAll(body(seed, size)); !bytes.Equal(got, want) {
		return fmt.Errorf("page has %d bytes, want other %d", len(got), len(want))
	}
	return nil
}

// testReplies looks at what an application is told when a connection cannot be.
// https://spec.torproject.org/socks-extensions.html
func testReplies(t *testing.T, b *bed) {
	node := b.add(t, testnet.NodeConfig{Name: "client2", Torrc: []string{extendedErrors}})
	plain, full := node.SOCKS, extendedPort(t, node)
	rejected := b.name("rejected", "127.0.0.9")
	for _, tt := range []struct {
		name  string
		port  string
		req   socksmsg.Request
		codes []socksmsg.ReplyCode
	}{
		{"no such name", plain, connect("no-such-name.test", 80), []socksmsg.ReplyCode{socksmsg.HostUnreachable}},
		// C tor's exit often takes the refusal for an error of its own, and tells MISC.
		{"connection refused", plain, connect(loopback, 1), []socksmsg.ReplyCode{socksmsg.ConnRefused, socksmsg.GeneralFailure}},
		{"port that no exit allows", plain, connect(b.name("smtp"), 25), []socksmsg.ReplyCode{socksmsg.NotAllowed}},
		{"address that exits reject", plain, connect("127.0.0.9", 80), []socksmsg.ReplyCode{socksmsg.NotAllowed}},
		{"name of such an address", plain, connect(rejected, 80), []socksmsg.ReplyCode{socksmsg.NotAllowed}},
		{"onion service", plain, connect(onion, 80), []socksmsg.ReplyCode{socksmsg.HostUnreachable}},
		{"onion service, extended errors", full, connect(onion, 80), []socksmsg.ReplyCode{socksmsg.OnionNotFound}},
		{"no such name, extended errors", full, connect("no-such-name.test", 80), []socksmsg.ReplyCode{socksmsg.HostUnreachable}},
		{"exit in the name", plain, connect("x.exit1.exit", 80), []socksmsg.ReplyCode{socksmsg.NotAllowed}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			conn, reply, err := ask(deadline(t, promptly), tt.port, tt.req)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if !slices.Contains(tt.codes, reply.Code) {
				t.Errorf("reply is %d, %v; want one of %v", reply.Code, reply.Code, tt.codes)
			}
			t.Logf("%v after %v", reply.Code, time.Since(begin).Round(time.Millisecond))
		})
	}
}

// extendedErrors is a torrc line for a second port, which extendedPort finds.
const extendedErrors = "SocksPort auto ExtendedErrors"

func extendedPort(t *testing.T, node *testnet.Node) string {
	t.Helper()
	extended := regexp.MustCompile(`Socks listener listening on port (\d+)`)
	line, err := node.Wait(deadline(t, taskTimeout), extended)
	must(t, err)
	return net.JoinHostPort(loopback, extended.FindStringSubmatch(line)[1])
}

func connect(host string, port uint16) socksmsg.Request {
	return socksmsg.Request{Version: 5, Command: socksmsg.Connect, Host: host, Port: port}
}

// testInternal keeps applications off addresses that mean something on the exit's own machine.
func testInternal(t *testing.T, b *bed) {
	node := b.add(t, testnet.NodeConfig{Name: "client3", Torrc: []string{"ClientRejectInternalAddresses 1"}})
	for _, host := range []string{loopback, "10.1.2.3", "::1", "localhost", b.name("internal")} {
		conn, reply, err := ask(deadline(t, promptly), node.SOCKS, connect(host, b.web.port))
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if reply.Code != socksmsg.GeneralFailure {
			t.Errorf("%s: reply is %v, want %v", host, reply.Code, socksmsg.GeneralFailure)
		}
	}
}

// testHTTP speaks HTTP to the SOCKS port, as a browser does whose proxy settings are wrong.
// https://spec.torproject.org/socks-extensions.html#http-resistance
func testHTTP(t *testing.T, b *bed) {
	req, err := http.NewRequestWithContext(deadline(t, taskTimeout), http.MethodGet, "http://"+b.client.SOCKS+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.Status != "501 Tor is not an HTTP Proxy" || !strings.Contains(string(text), "SOCKS") {
		t.Errorf("answer is %s, %v:\n%s", resp.Status, err, text)
	}
}
