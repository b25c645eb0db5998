package dircache

import (
	"net/netip"
	"sync"
)

// perAddr bounds what one client can take of the capacity. An invalid address is one like others.
type perAddr struct {
	max int

	mu    sync.Mutex // a leaf; guards conns
	conns map[netip.Addr]int
}

// clientOf is the part of an address that one client has: of IPv6 that is a /64.
func clientOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}

func (p *perAddr) take(a netip.Addr) bool {
	a = clientOf(a)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[a] >= p.max {
		return false
	}
	p.conns[a]++
	return true
}

func (p *perAddr) give(a netip.Addr) {
	a = clientOf(a)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[a]--; p.conns[a] == 0 {
		delete(p.conns, a)
	}
}
