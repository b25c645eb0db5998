package relay

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/inet"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// Extend implements circuit.Relay. A link that is there is used at once, on the reader; others are dialled, a bounded
// number at a time.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html#EXTEND
func (r *Relay) Extend(req *circuit.ExtendRequest) {
	req.Target.Addrs = slices.DeleteFunc(req.Target.Addrs, func(a netip.AddrPort) bool { return !r.cfg.MayExtend(a) })
	keys := r.cfg.Keys()
	switch {
	case len(req.Target.Addrs) == 0:
		req.Failed(cell.DestroyProtocol)
		return
	case req.Target.RSA == keys.RSA || req.Target.HasEd && req.Target.Ed == keys.Ed:
		req.Failed(cell.DestroyProtocol) // to ourselves
		return
	}
	if l := r.cfg.Links.Find(req.Target); l != nil && req.Connected(l) == nil {
		return
	}
	if !r.beginDial(req.Prev()) {
		req.Failed(cell.DestroyResourceLimit)
		return
	}
	if !r.start(func() {
		defer r.endDial(req.Prev())
		r.dial(req)
	}) {
		r.endDial(req.Prev())
		req.Failed(cell.DestroyChannelClosed)
	}
}

// A room counts the dials under way, by the link that asked for them.
type room struct {
	share shares

	mu    sync.Mutex // a leaf; guards count
	count map[*link.Link]int
}

func newRoom(places int) room {
	return room{share: sharesOf(places), count: map[*link.Link]int{}}
}

func (r *room) enter(l *link.Link) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count[l] >= r.share.of(l) {
		return false
	}
	r.count[l]++
	return true
}

func (r *room) leave(l *link.Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count[l]--; r.count[l] <= 0 {
		delete(r.count, l)
	}
}

// beginDial takes a place for a dial that a link asks for, if there is one: addresses that never answer keep theirs for a
// minute, and nobody is to fill all of them.
func (r *Relay) beginDial(by *link.Link) bool {
	if !r.dialing.enter(by) {
		return false
	}
	select {
	case r.dials <- struct{}{}:
		return true
	default:
		r.dialing.leave(by)
		return false
	}
}

func (r *Relay) endDial(by *link.Link) {
	<-r.dials
	r.dialing.leave(by)
}

// start runs f in a goroutine that Run waits for, unless the relay is closed.
func (r *Relay) start(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	safego.Go(&r.wg, r.cfg.Log, "relay task", f)
	return true
}

func (r *Relay) dial(req *circuit.ExtendRequest) {
	err := errors.New("panic while extending")
	defer func() {
		if err != nil {
			r.cfg.Log.Debug("circuit not extended", "link", req.Prev().ID(), "err", err)
			req.Failed(reason(err))
		}
	}()
	var l *link.Link
	if l, err = r.cfg.Links.Get(r.ctx, req.Target); err == nil {
		err = req.Connected(l)
	}
}

// reason is what the client is told of a link that could not be had.
func reason(err error) cell.DestroyReason {
	switch {
	case errors.Is(err, link.ErrWrongIdentity):
		return cell.DestroyORIdentity
	case errors.Is(err, context.DeadlineExceeded):
		return cell.DestroyTimeout
	}
	return cell.DestroyConnectFailed
}

// public tells whether an address may belong to a relay of the public network.
func public(a netip.AddrPort) bool {
	return a.Port() != 0 && inet.IsPublic(a.Addr())
}
