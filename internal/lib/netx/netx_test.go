package netx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// pair returns the two ends of a connection over the operating system.
func pair(t *testing.T, network, addr string) (client, server net.Conn) {
	t.Helper()
	l, err := netx.OS{}.Listen(t.Context(), network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = (netx.OS{}).Dial(t.Context(), network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

func TestConn(t *testing.T) {
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		t.Run(network, func(t *testing.T) {
			client, server := pair(t, network, addr)
			if err := client.(netx.LowWater).SetNotSentLowat(64 << 10); err != nil {
				t.Errorf("SetNotSentLowat: %v", err)
			}
			go func() {
				io.WriteString(client, "hello")
				client.(netx.HalfCloser).CloseWrite()
			}()
			got, err := io.ReadAll(server)
			if string(got) != "hello" || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
			if _, err := io.WriteString(server, "back"); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 4)
			if _, err := io.ReadFull(client, b); err != nil || string(b) != "back" {
				t.Errorf("after CloseWrite got %q, %v", b, err)
			}
		})
	}
}

func TestConnErrorsAreScrubbed(t *testing.T) {
	client, _ := pair(t, "tcp", "127.0.0.1:0")
	client.SetReadDeadline(time.Unix(1, 0))
	_, err := client.Read(make([]byte, 1))
	if ne, ok := err.(net.Error); !ok || !ne.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read after its deadline: %v, want a net.Error that says so", err)
	}
	wantScrubbed(t, err, "127.0.0.1", "read tcp [scrubbed]: i/o timeout")

	client.Close()
	_, err = client.Write([]byte("x"))
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v, want net.ErrClosed", err)
	}
	wantScrubbed(t, err, "127.0.0.1", "write tcp [scrubbed]: use of closed network connection")
	wantScrubbed(t, client.SetDeadline(time.Time{}), "127.0.0.1", "set tcp [scrubbed]: use of closed network connection")
	wantScrubbed(t, client.(netx.LowWater).SetNotSentLowat(1), "127.0.0.1", "[scrubbed]")
}

// wantScrubbed checks err's text, and that the revealed text holds what was hidden.
func wantScrubbed(t *testing.T, err error, hidden, want string) {
	t.Helper()
	if got := fmt.Sprintf("%v %+v", err, err); strings.Contains(got, hidden) || !strings.Contains(got, want) {
		t.Errorf("error prints %q, want %q", got, want)
	}
	if err != nil && strings.Contains(want, safelog.Scrubbed) && !strings.Contains(safelog.RevealText(err), hidden) {
		t.Errorf("RevealText = %q, want it to hold %q", safelog.RevealText(err), hidden)
	}
}

func TestDialErrors(t *testing.T) {
	l, err := netx.OS{}.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_, errInUse := netx.OS{}.Listen(t.Context(), "tcp", closed)
	wantScrubbed(t, errInUse, "127.0.0.1", "listen tcp [scrubbed]: address already in use")
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v, want net.ErrClosed", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name, network, addr string
		ctx                 context.Context
		want                error
		text                string
	}{
		{"refused", "tcp", closed, t.Context(), syscall.ECONNREFUSED, "dial tcp [scrubbed]: connection refused"},
		{"canceled", "tcp", closed, canceled, context.Canceled, "dial tcp [scrubbed]: context canceled"},
		{"no socket", "unix", filepath.Join(t.TempDir(), "none"), t.Context(), syscall.ENOENT, "dial unix [scrubbed]: no such file or directory"},
		{"name", "tcp", "localhost:80", t.Context(), netx.ErrName, "dial tcp [scrubbed]: address is not"},
		{"name of a port", "tcp", "127.0.0.1:http", t.Context(), netx.ErrName, "dial tcp [scrubbed]: address is not"},
		{"no port", "tcp", "127.0.0.1", t.Context(), netx.ErrName, "dial tcp [scrubbed]: address is not"},
		{"datagrams", "udp", "127.0.0.1:1", t.Context(), net.UnknownNetworkError("udp"), "dial udp [scrubbed]: unknown network udp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := netx.OS{}.Dial(tt.ctx, tt.network, tt.addr)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if fmt.Sprint(err) == "" || !strings.HasPrefix(err.Error(), tt.text) {
				t.Errorf("error prints %q, want %q", err, tt.text)
			}
		})
	}
	if _, err := (netx.OS{}).Listen(t.Context(), "tcp", "localhost:0"); !errors.Is(err, netx.ErrName) {
		t.Errorf("Listen on a name: %v, want ErrName", err)
	}
}

func TestListenEverywhere(t *testing.T) {
	l, err := netx.OS{}.Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestScrubLeavesHarmlessErrors(t *testing.T) {
	for _, err := range []error{nil, io.EOF, io.ErrUnexpectedEOF, context.Canceled, os.ErrDeadlineExceeded} {
		if got := netx.Scrub(err); got != err {
			t.Errorf("Scrub(%v) = %v", err, got)
		}
	}
	for _, err := range []error{
		&net.DNSError{Err: "no such host", Name: "secret.example"},
		&net.AddrError{Err: "bad", Addr: "secret.example"},
		fmt.Errorf("x: %w", &net.ParseError{Type: "ip", Text: "secret.example"}),
		&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("to secret.example")},
	} {
		wantScrubbed(t, netx.Scrub(err), "secret.example", safelog.Scrubbed)
	}
}

// TryWrite takes what the kernel has room for, and never waits.
func TestTryWrite(t *testing.T) {
	client, server := pair(t, "tcp", "127.0.0.1:0")
	w := client.(netx.TryWriter)
	sent := 0
	block := make([]byte, 64<<10)
	for full := 0; full < 3; { // some calls after it is full
		n, err := w.TryWrite(block)
		if err != nil {
			t.Fatal(err)
		}
		if sent += n; n == 0 {
			full++
		}
		if sent > 1<<30 {
			t.Fatal("the kernel takes everything")
		}
	}
	if sent == 0 {
		t.Skip("no such thing on this system")
	}
	client.(netx.HalfCloser).CloseWrite()
	if n, err := io.Copy(io.Discard, server); n != int64(sent) || err != nil {
		t.Errorf("%d of %d bytes arrived, %v", n, sent, err)
	}
	client.Close()
	if _, err := w.TryWrite(block); !errors.Is(err, net.ErrClosed) {
		t.Errorf("TryWrite after Close: %v, want net.ErrClosed", err)
	}
}

// Reads and writes of a connection that has data cost no allocation.
func TestConnAllocations(t *testing.T) {
	client, server := pair(t, "tcp", "127.0.0.1:0")
	client.(netx.QuickAcker).SetQuickAck(true)
	b := make([]byte, 1000)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := server.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
