package bench

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

func TestServer(t *testing.T) {
	s, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	dial := func(mode byte) net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", s.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := c.Write([]byte{mode}); err != nil {
			t.Fatal(err)
		}
		return c
	}
	if got, err := io.ReadAll(dial(modePing)); string(got) != string([]byte{modePing}) || err != nil {
		t.Errorf("ping: %q, %v", got, err)
	}
	if got, err := io.ReadAll(dial('?')); len(got) > 0 || err != nil {
		t.Errorf("unknown mode: %q, %v", got, err)
	}
	download := dial(modeDownload)
	if n, err := io.CopyN(io.Discard, download, 1<<20); err != nil {
		t.Errorf("download: %d bytes, %v", n, err)
	}
	b := &clientBench{server: s}
	if _, err := dial(modeUpload).Write(make([]byte, 1<<20)); err != nil {
		t.Errorf("upload: %v", err)
	}
	if err := b.awaitTaken(t.Context(), 1<<20); err != nil || s.taken.Load() != 1<<20 {
		t.Errorf("upload: %d bytes, %v", s.taken.Load(), err)
	}
	s.close() // ends the download and the upload
	if _, err := io.Copy(io.Discard, download); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("after close: %v", err)
	}
}

func TestShakeHands(t *testing.T) {
	const (
		method = "\x05\x02"
		auth   = "\x01\x00"
		ok     = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	)
	for _, tt := range []struct {
		name    string
		replies []string // one to each message
		want    error
	}{
		{"accepted", []string{method, auth, ok}, nil},
		{"refused", []string{method, auth, "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"}, socksmsg.ErrRefused},
		{"no password wanted", []string{"\x05\x00"}, socksmsg.ErrAuthMethod},
		{"data before a request", []string{method, auth, ok + "x"}, errEarlyData},
		{"cut short", []string{method, auth, ok[:5]}, io.EOF},
		{"nothing", []string{""}, io.EOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ours, proxy := net.Pipe()
			var wg sync.WaitGroup
			defer wg.Wait()
			defer ours.Close()
			wg.Go(func() {
				defer proxy.Close()
				buf := make([]byte, 512)
				for _, reply := range tt.replies {
					proxy.Read(buf) // what the requests say is the affair of package socksmsg
					io.WriteString(proxy, reply)
				}
			})
			req := socksmsg.Request{Version: socksmsg.Version5, Command: socksmsg.Connect, Host: "a.test", Port: 1, User: "u", Pass: "x"}
			if err := shakeHands(ours, req); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
