package tropeatest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/tropea-net/tropea"
	"github.com/tropea-net/tropea/tropeatest"
)

// A test fetches something through three relays.
func ExampleNew() {
	test := func(t *testing.T) {
		net := tropeatest.New(t, tropeatest.Options{})
		l, err := net.Listen("echo.test")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			if c, err := l.Accept(); err == nil {
				io.Copy(c, c)
				c.Close()
			}
		}()
		c, err := net.DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintln(c, "through three relays and back")
	}
	_ = test
}

// A test has an onion service.
func ExampleNet_ClientConfig() {
	test := func(t *testing.T) {
		net := tropeatest.New(t, tropeatest.Options{})
		host, err := tropea.New(net.ClientConfig())
		if err != nil {
			t.Fatal(err)
		}
		defer host.Close()
		if err := host.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		onion, err := host.Listen(t.Context(), tropea.OnionConfig{}) // with a new address
		if err != nil {
			t.Fatal(err)
		}
		go http.Serve(onion, http.FileServer(http.Dir("testdata")))
		if _, err := net.Client(0).HTTP().Get("http://" + onion.Addr().String()); err != nil {
			t.Fatal(err)
		}
	}
	_ = test
}

// In virtual time half a day passes in seconds.
func ExampleVirtual() {
	test := func(t *testing.T) {
		opts := tropeatest.Options{Latency: 50 * time.Millisecond, Interval: time.Hour}
		tropeatest.Virtual(t, opts, func(t *testing.T, n *tropeatest.Net) {
			time.Sleep(12 * time.Hour) // twelve consensuses
			if _, err := n.DialContext(t.Context(), "tcp", "nobody.test:80"); err == nil {
				t.Error("nobody answered")
			}
		})
	}
	_ = test
}

// Tests of a package share a network that TestMain makes.
func ExampleStart() {
	var net *tropeatest.Net
	testMain := func(m *testing.M) int {
		var err error
		if net, err = tropeatest.Start(context.Background(), tropeatest.Options{Memory: true}); err != nil {
			fmt.Println(err)
			return 1
		}
		defer net.Close()
		return m.Run()
	}
	_ = testMain
}
