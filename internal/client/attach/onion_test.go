package attach

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/client/hsclient"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

const onionHost = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"

// onions gives out circuits of one hop to the fake relay of a bed.
type onions struct {
	*bed
	fresh    bool
	requests []hsclient.Request
	gone     []uint64
	err      error
}

func (o *onions) Open(ctx context.Context, r hsclient.Request) (hsclient.Lease, error) {
	o.requests = append(o.requests, r)
	if o.err != nil {
		return hsclient.Lease{}, o.err
	}
	c, err := circuit.CreateFast(ctx, o.link, circuit.Options{})
	if err != nil {
		return hsclient.Lease{}, err
	}
	return hsclient.Lease{Tunnel: c.Tunnel(), Circ: uint64(len(o.requests)), Fresh: o.fresh}, nil
}

func (o *onions) Retire(circ uint64) { o.gone = append(o.gone, circ) }

func runOnions(t *testing.T, peer fakepeer.Config, f func(o *onions)) {
	t.Helper()
	run(t, peer, Config{}, func(b *bed) {
		o := &onions{bed: b}
		b.cfg.Onions = o
		f(o)
	})
}

// Streams to services name a port, and nothing else.
func TestDialOnion(t *testing.T) {
	var targets []string
	peer := fakepeer.Config{Stream: func(s string) fakepeer.Handler { targets = append(targets, s); return fakepeer.Echo }}
	runOnions(t, peer, func(o *onions) {
		for _, host := range []string{onionHost, "www." + strings.ToUpper(onionHost), onionHost + "."} {
			req := web(host)
			req.Early = func() []byte { return []byte("hello") }
			s, err := o.Dial(o.Context(), req)
			if err != nil {
				o.Fatalf("%s: %v", host, err)
			}
			var buf [5]byte
			if _, err := io.ReadFull(s, buf[:]); err != nil || string(buf[:]) != "hello" {
				o.Errorf("%q, %v", buf, err)
			}
			s.Close()
		}
		if !slices.Equal(targets, []string{":80", ":80", ":80"}) {
			o.Errorf("the service was asked for %q", targets)
		}
		want, _ := onionaddr.Parse(onionHost)
		for _, r := range o.requests {
			if r.Service != want || r.Port != 80 || r.Isolation != (isolation.Key{User: "alice"}) {
				o.Errorf("request %+v", r)
			}
		}
		if o.tries() != 0 {
			o.Error("an exit was asked for")
		}
	})
}

// What is no address of a service goes nowhere.
func TestDialOnionRefused(t *testing.T) {
	runOnions(t, fakepeer.Config{}, func(o *onions) {
		for host, want := range map[string]error{
			"a" + onionHost[1:]:                     onionaddr.ErrChecksum,
			"onion":                                 onionaddr.ErrFormat,
			".onion":                                onionaddr.ErrFormat,
			"expyuzz4wqqyqhjn.onion":                onionaddr.ErrFormat,
			strings.Replace(onionHost, "2", "1", 1): onionaddr.ErrFormat,
			onionHost + " ":                         onionaddr.ErrFormat,
			onionHost + ".\x00":                     onionaddr.ErrFormat,
		} {
			if _, err := o.Dial(o.Context(), web(host)); !errors.Is(err, ErrBadOnion) || !errors.Is(err, want) {
				o.Errorf("%q: %v, want %v", host, err, want)
			}
		}
		req := web(onionHost)
		req.NoOnion = true
		if _, err := o.Dial(o.Context(), req); !errors.Is(err, ErrNoOnions) {
			o.Errorf("where services are not allowed: %v", err)
		}
		o.cfg.Onions = nil
		if _, err := o.Dial(o.Context(), web(onionHost)); !errors.Is(err, ErrNoOnions) {
			o.Errorf("where there are none: %v", err)
		}
		if len(o.requests)+o.tries() != 0 {
			o.Errorf("requests %v, %d circuits", o.requests, o.tries())
		}
	})
}

// A circuit that others have used may be about to end; what the service says is final.
func TestDialOnionFails(t *testing.T) {
	destroy := func(s *fakepeer.Stream) { s.Circuit().Destroy(0) }
	for _, tt := range []struct {
		name     string
		fresh    bool
		handlers []fakepeer.Handler
		tries    int
		ok       bool
	}{
		{"an old circuit ends", false, []fakepeer.Handler{destroy, fakepeer.Echo}, 2, true},
		{"old circuits always end", false, []fakepeer.Handler{destroy}, maxOnionTries, false},
		{"a new circuit ends", true, []fakepeer.Handler{destroy, fakepeer.Echo}, 1, false},
		{"the service refuses", false, []fakepeer.Handler{fakepeer.Refuse(relaymsg.EndDone)}, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runOnions(t, exitOf(tt.handlers...), func(o *onions) {
				o.fresh = tt.fresh
				_, err := o.Dial(o.Context(), web(onionHost))
				if (err == nil) != tt.ok || len(o.requests) != tt.tries || len(o.gone) != tt.tries-1 {
					o.Errorf("%v after %d tries, %v were retired", err, len(o.requests), o.gone)
				}
				if end, refused := errors.AsType[*stream.EndError](err); refused != (tt.name == "the service refuses") || refused && end.Reason != relaymsg.EndDone {
					o.Errorf("error %v", err)
				}
			})
		})
	}
	runOnions(t, fakepeer.Config{}, func(o *onions) {
		o.err = &hsclient.Error{Reason: hsclient.BadAuth}
		if _, err := o.Dial(o.Context(), web(onionHost)); !errors.Is(err, o.err) || len(o.requests) != 1 {
			o.Errorf("error %v after %d tries", err, len(o.requests))
		}
	})
}
