package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirsync"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// Problem is something that went wrong while the start was not done. It is published on the event bus.
type Problem struct {
	Status
	Err    error
	Reason string // C tor's word for it, such as "CONNECTREFUSED"
	Advice string // one sentence
	Count  int    // of problems so far
}

// A Tracker follows the start. It is a plain value for one goroutine.
type Tracker struct {
	phase  Phase
	count  int
	enough bool // links are for circuits from now on
}

// A Skew tells of a clock that is off, as far as relays can tell.
type Skew struct{ Ahead time.Duration }

// minSkew is from which difference on clocks are worth talking about.
const minSkew = time.Hour

// Handle takes an event in and returns what is to be told: Status, Problem and Skew values.
func (t *Tracker) Handle(e any) (out []any) {
	reach := func(p Phase) {
		if p > t.phase {
			t.phase = p
			out = append(out, p.status())
		}
	}
	trouble := func(err error) {
		if t.phase == Done || err == nil || errors.Is(err, link.ErrClosed) || errors.Is(err, circmgr.ErrClosed) || errors.Is(err, context.Canceled) {
			return
		}
		t.count++
		reason, advice := explain(err)
		out = append(out, Problem{t.phase.status(), err, reason, advice, t.count})
	}
	switch e := e.(type) {
	case link.Event:
		if e.Accepted {
			break // somebody has connected to our relay, and says what he likes
		}
		t.link(e, reach, trouble)
		if e.State == link.StateOpen && e.Skew.Abs() >= minSkew {
			out = append(out, Skew{e.Skew})
		}
	case dirsync.Event:
		t.dir(e, reach)
		trouble(e.Err)
		if e.Skew.Abs() >= minSkew {
			out = append(out, Skew{e.Skew})
		}
	case circmgr.Event:
		switch {
		case e.State == circmgr.Built:
			// A link that the directory has used already is there before circuits need one.
			for _, p := range []Phase{EnoughDirInfo, APHandshakeDone, CircuitCreate, Done} {
				reach(p)
			}
		case e.State == circmgr.Failed && !errors.As(e.Err, new(*link.DialError)): // its link has told that already
			trouble(e.Err)
		}
	}
	return out
}

// link tells of connections to relays: those for the directory, or, once that is there, those for circuits.
func (t *Tracker) link(e link.Event, reach func(Phase), trouble func(error)) {
	steps := map[link.State]Phase{
		link.StateConnecting: Conn, link.StateConnected: ConnDone,
		link.StateHandshake: Handshake, link.StateOpen: HandshakeDone,
	}
	if t.enough {
		steps = map[link.State]Phase{
			link.StateConnecting: APConn, link.StateConnected: APConnDone,
			link.StateHandshake: APHandshake, link.StateOpen: APHandshakeDone,
		}
	}
	if p, ok := steps[e.State]; ok {
		reach(p)
		if p == APHandshakeDone {
			reach(CircuitCreate)
		}
	} else if e.State == link.StateFailed {
		trouble(e.Err)
	}
}

func (t *Tracker) dir(e dirsync.Event, reach func(Phase)) {
	switch e.Stage {
	case dirsync.DirCircuit: // the link tells
	case dirsync.RequestingStatus:
		if e.Err == nil {
			reach(OneHopCreate)
			reach(RequestingStatus)
		}
	case dirsync.LoadingStatus:
		reach(LoadingStatus)
	case dirsync.LoadingKeys:
		reach(LoadingKeys)
	case dirsync.RequestingDescs:
		reach(RequestingDescriptors)
	case dirsync.LoadingDescs:
		p := LoadingDescriptors + Phase(e.Fraction*float64(EnoughDirInfo-LoadingDescriptors))
		if p >= t.phase+5 || t.phase < LoadingDescriptors {
			reach(min(p, EnoughDirInfo-1))
		}
	case dirsync.Enough:
		t.enough = true
		reach(EnoughDirInfo)
	}
}

// Run follows the events on bus until ctx ends: it logs what happens, and publishes it.
func Run(ctx context.Context, bus *event.Bus, sub *event.Sub, log *slog.Logger) {
	var t Tracker
	told := tell{log: log}
	told.status(Starting.status())
	bus.Publish(Starting.status())
	for {
		e, err := sub.Next(ctx)
		var over *event.OverrunError
		switch {
		case errors.As(err, &over):
			sub = bus.Subscribe(subscription)
			continue
		case err != nil:
			return
		}
		for _, x := range t.Handle(e) {
			bus.Publish(x)
			switch x := x.(type) {
			case Status:
				told.status(x)
			case Problem:
				told.problem(x)
			case Skew:
				told.skew(x)
			}
		}
	}
}

// subscription is how many events may wait for Run.
const subscription = 1024

// Subscribe returns the subscription that Run reads. It is made before the first event can come.
func Subscribe(bus *event.Bus) *event.Sub { return bus.Subscribe(subscription) }

// tell writes the log.
type tell struct {
	log     *slog.Logger
	skewed  time.Duration
	warnAt  int             // the count of problems at which the next one is a warning
	warned  map[string]bool // kinds of problems that were told: C tor's words, which are few
	hadSkew bool
}

func (t *tell) status(s Status) {
	t.log.Log(context.Background(), safelog.LevelNotice, fmt.Sprintf("Bootstrapped %d%% (%s): %s", s.Percent, s.Tag, s.Summary))
}

// problem warns of the third problem, since one relay may always be down, and then of a few more, so that a log is not
// flooded by what is the same all the time. A new kind of problem is told at once.
func (t *tell) problem(p Problem) {
	const first = 3
	t.warnAt = max(t.warnAt, first)
	if p.Count < t.warnAt && (t.warned[p.Reason] || p.Count < first && !serious(p.Err)) {
		t.log.Debug("bootstrap problem", "percent", p.Percent, "tag", p.Tag, "err", p.Err, "count", p.Count)
		return
	}
	if t.warned == nil {
		t.warned = map[string]bool{}
	}
	t.warned[p.Reason] = true
	t.warnAt = p.Count * 3
	t.log.Warn(fmt.Sprintf("Problem bootstrapping. Stuck at %d%% (%s): %s. (%v; %s; count %d; recommendation warn) %s",
		p.Percent, p.Tag, p.Summary, p.Err, p.Reason, p.Count, p.Advice))
}

// skew warns of a clock that is off, once for each amount.
func (t *tell) skew(s Skew) {
	if t.hadSkew && (s.Ahead-t.skewed).Abs() < minSkew {
		return
	}
	t.hadSkew, t.skewed = true, s.Ahead
	direction := "ahead of"
	if s.Ahead < 0 {
		direction = "behind"
	}
	t.log.Warn(fmt.Sprintf("Our clock is %v %s that of the relays that we talk to. Tor needs an accurate clock: please check your time, timezone and date settings.",
		s.Ahead.Abs().Round(time.Minute), direction))
}
