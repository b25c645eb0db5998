package interop_test

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/tropea-net/tropea"
)

// testListen serves HTTP at an onion service of the library.
func testListen(t *testing.T, b *bed, socks string) {
	var log logBuffer
	c, err := tropea.New(tropea.Config{
		Authorities: b.net.Authorities(), AllowInternal: true, MinPaths: 0.67, TestNetwork: true,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the library:\n%s", log.String())
		}
	})
	defer c.Close()
	if _, err := c.Listen(t.Context(), tropea.OnionConfig{}); err == nil {
		t.Error("Listen before Start")
	}
	must(t, c.Start(deadline(t, joinTimeout)))
	_, err = c.Listen(t.Context(), tropea.OnionConfig{Key: []byte("short")})
	wantKind(t, "Listen with a short key", err, tropea.BadConfig)
	begin := time.Now()
	l, err := c.Listen(deadline(t, joinTimeout), tropea.OnionConfig{IntroPoints: 4, Clients: nil})
	must(t, err)
	t.Logf("Listen took %v", time.Since(begin).Round(time.Millisecond))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /body", serveBody)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	base := "http://" + l.Addr().String() + "/body"
	must(t, download(deadline(t, bulkTimeout), viaGo, proxyURL(socks, "listen"), base, "listen", 5<<20))
	if ok, text := l.Status(); !ok {
		t.Errorf("not reachable: %s", text)
	}
	must(t, server.Close())
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	again, err := c.Listen(deadline(t, joinTimeout), tropea.OnionConfig{Key: l.Key()})
	must(t, err)
	defer again.Close()
	if again.Addr() != l.Addr() {
		t.Errorf("the address was %v and is %v", l.Addr(), again.Addr())
	}
}
