package hsclient

import (
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// Congestion control is asked for where descriptor, consensus and rendezvous point have it.
//
// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
func TestFlow(t *testing.T) {
	onion, exit := congestion.ReadParams(nil, congestion.OnionPath), congestion.ReadParams(nil, congestion.ExitPath)
	off := *onion
	off.Enabled = false
	for _, tt := range []struct {
		name   string
		flow   *hsdesc.FlowControl
		single bool
		onion  *congestion.Params
		want   *congestion.Params
	}{
		{"nothing said", nil, false, onion, nil},
		{"both versions", &hsdesc.FlowControl{Versions: protover.MustParse("FlowCtrl=1-2"), SendmeInc: 32}, false, onion, onion},
		{"single onion service", &hsdesc.FlowControl{Versions: protover.MustParse("FlowCtrl=1-2"), SendmeInc: 32}, true, onion, exit},
		{"first version", &hsdesc.FlowControl{Versions: protover.MustParse("FlowCtrl=1"), SendmeInc: 32}, false, onion, nil},
		{"consensus says no", &hsdesc.FlowControl{Versions: protover.MustParse("FlowCtrl=1-2"), SendmeInc: 32}, false, &off, nil},
	} {
		d := descriptor{Inner: &hsdesc.Inner{FlowControl: tt.flow, SingleOnion: tt.single}}
		cc, inc := d.flow(tt.onion, exit)
		if cc != tt.want || (cc != nil) != (inc == 32) {
			t.Errorf("%s: got %p with %d cells a SENDME, want %p", tt.name, cc, inc, tt.want)
		}
	}
	for inc, want := range map[uint8]Reason{1: Invalid, 29: Invalid, 30: 0, 32: 0, 33: Invalid, 255: Invalid} {
		run(t, setup{service: func(s *service) {
			s.inner.FlowControl = &hsdesc.FlowControl{Versions: protover.MustParse("FlowCtrl=1-2"), SendmeInc: inc}
		}}, func(b *bed) {
			l, err := b.open("alice", time.Minute)
			if want != 0 {
				b.wantReason(err, want)
				return
			}
			if err != nil {
				b.Fatalf("%d cells a SENDME: %v", inc, err)
			}
			b.echo(l)
			if _, ok := b.service.saw().requests[0].Exts.Get(circext.TypeCCRequest); ok {
				b.Error("congestion control is asked for, which the rendezvous point does not do")
			}
		})
	}
}

func TestCache(t *testing.T) {
	var c cache
	p := hskeys.Period{Num: 7, Minutes: 1440}
	at := time.Unix(0, 0)
	put := func(n int, p hskeys.Period, revision uint64) {
		at = at.Add(time.Second)
		c.put(onionaddr.Address{byte(n), byte(n >> 8)}, &descriptor{keys: keys{period: p}, revision: revision, fetched: at})
	}
	put(1, p, 5)
	put(1, p, 4)
	if d := c.get(onionaddr.Address{1}, p); d == nil || d.revision != 5 {
		t.Errorf("an older version replaces a newer one: %v", d)
	}
	put(1, p.Next(), 1)
	if d := c.get(onionaddr.Address{1}, p.Next()); d == nil || d.revision != 1 {
		t.Errorf("the descriptor of the next time period: %v", d)
	}
	if d := c.get(onionaddr.Address{1}, p); d != nil {
		t.Errorf("the descriptor of another time period: %v", d)
	}
	for n := range maxDescriptors + 10 {
		put(n, p, 1)
	}
	if len(c.of) != maxDescriptors || c.get(onionaddr.Address{9}, p) != nil || c.get(onionaddr.Address{10}, p) == nil {
		t.Errorf("%d descriptors are kept", len(c.of))
	}
}

func TestFailures(t *testing.T) {
	now := time.Unix(0, 0)
	var f failures
	key := func(n int) pointKey { return pointKey{authKey: [32]byte{byte(n), byte(n >> 8)}} }
	for range maxUnreachable {
		if !f.usable(key(1), now) {
			t.Error("given up too early")
		}
		f.note(key(1), now).unreachable++
	}
	f.note(key(2), now).timedOut = true
	f.note(key(3), now).refused = true
	for n := 1; n <= 3; n++ {
		if f.usable(key(n), now.Add(failureMemory-1)) {
			t.Errorf("point %d is usable", n)
		}
		if f.timedOut(key(n), now) != (n == 2) {
			t.Errorf("point %d: what has gone wrong is not known", n)
		}
		if !f.usable(key(n), now.Add(failureMemory)) {
			t.Errorf("point %d is not usable after the time", n)
		}
	}
	for n := range 2 * maxFailures {
		f.note(key(n), now)
	}
	if len(f.points) > maxFailures {
		t.Errorf("%d failures are remembered", len(f.points))
	}
}
