package resolver

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// An Event tells what became of the nameservers. The control port makes STATUS_SERVER events of some, and a change of
// what [Resolver.Broken] says must change the relay's descriptor.
type Event struct {
	Kind   EventKind
	Server netip.AddrPort // for ServerDown and ServerUp
	Err    error          // for ServerDown and ConfigFailed
}

// EventKind is what happened.
type EventKind uint8

// The kinds of events, with C tor's names for them.
const (
	ServerDown     EventKind = iota + 1 // NAMESERVER_STATUS, STATUS=DOWN
	ServerUp                            // NAMESERVER_STATUS, STATUS=UP
	AllDown                             // NAMESERVER_ALL_DOWN
	Hijacked                            // DNS_HIJACKED: names that do not exist have addresses; comes once
	Useless                             // DNS_USELESS: Broken is true from now on
	Useful                              // Broken is false again
	ConfigFailed                        // resolv.conf is of no use
	ConfigRestored                      // it is again
)

func (r *Resolver) publish(e Event) {
	if r.cfg.Events != nil {
		r.cfg.Events.Publish(e)
	}
}

// noteAnswered notes that a server works.
func (r *Resolver) noteAnswered(set *serverSet, s *server) {
	switch set.answered(s) {
	case isUp:
		r.log.Debug("Nameserver is back up", slog.Any("nameserver", s.addr))
	case isUpAsFirst:
		r.log.Info("Nameserver is back up", slog.Any("nameserver", s.addr))
	default:
		return
	}
	r.publish(Event{Kind: ServerUp, Server: s.addr})
}

// noteFailed notes that a server did not answer, or said that it does not work at all.
func (r *Resolver) noteFailed(set *serverSet, s *server, err error) {
	c := set.failed(s, time.Now())
	if c == noChange {
		return
	}
	r.log.Debug("Nameserver has failed", slog.Any("nameserver", s.addr), slog.Any("err", err))
	r.publish(Event{Kind: ServerDown, Server: s.addr, Err: err})
	if c == isDownAsAll {
		r.log.Warn("All nameservers have failed")
		r.publish(Event{Kind: AllDown})
	}
	poke(r.wake)
}

// noteRefused notes that a server gave no answer to one question. SERVFAIL says more about the name, whose owner may
// arrange for it, than about the server; a server that does not answer anything would be out of work with it anyway.
func (r *Resolver) noteRefused(set *serverSet, s *server, err error) {
	if rcode, ok := errors.AsType[serverError](err); ok && rcode == dns.RcodeServerFailure || errors.Is(err, errCNAMELoop) {
		return
	}
	r.noteFailed(set, s, err)
}
