package netx_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

// WaitReadable returns when Read has something to tell, and takes nothing away.
func TestWaitReadable(t *testing.T) {
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		t.Run(network, func(t *testing.T) {
			client, server := pair(t, network, addr)
			w := server.(netx.ReadWaiter)
			server.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			if err := w.WaitReadable(); err == nil {
				t.Skip("no such thing on this system")
			} else if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("nothing to read: %v", err)
			} else if network == "tcp" {
				wantScrubbed(t, err, "127.0.0.1", "read tcp [scrubbed]: i/o timeout")
			}
			server.SetReadDeadline(time.Time{})
			woken := make(chan error, 1)
			go func() { woken <- w.WaitReadable() }()
			select {
			case err := <-woken:
				t.Fatalf("it did not wait: %v", err)
			case <-time.After(10 * time.Millisecond):
			}
			io.WriteString(client, "ab")
			if err := <-woken; err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 1)
			for _, want := range "ab" { // the poller tells of both once
				if err := w.WaitReadable(); err != nil {
					t.Fatal(err)
				}
				if _, err := server.Read(b); err != nil || b[0] != byte(want) {
					t.Fatalf("read %q, %v", b, err)
				}
			}
			client.Close()
			for range 2 {
				if err := w.WaitReadable(); err != nil {
					t.Errorf("at the end: %v", err)
				}
			}
			if _, err := server.Read(b); err != io.EOF {
				t.Errorf("read at the end: %v", err)
			}
			server.Close()
			if err := w.WaitReadable(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}
