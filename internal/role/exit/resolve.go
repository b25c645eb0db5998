package exit

import (
	"context"
	"errors"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// resolve answers a RESOLVE, at once where that can be done.
func (e *Exit) resolve(c *circuit.RelayCircuit, s stream.Incoming) {
	e.cfg.Note(Event{Kind: Resolving})
	if !e.mayStream(c) {
		s.Answer(failed(relaymsg.AnswerErrorTransient))
		return
	}
	m, err := relaymsg.ParseResolve(s.Body)
	if err != nil || !e.policy.Load().exits() {
		s.Answer(failed(relaymsg.AnswerError)) // who is no exit asks no nameservers
		return
	}
	if e.start(c, s.Stream, func(f *flow) func() {
		f.s.Answer(e.lookUp(opening{f.s}, m.Name))
		return nil
	}) != 0 {
		s.Answer(failed(relaymsg.AnswerErrorTransient))
	}
}

// lookUp finds what a name stands for: as in C tor one address of each family, or one name.
func (e *Exit) lookUp(ctx context.Context, name string) (r relaymsg.Resolved) {
	var err error
	if addr, ok := relaymsg.ReverseAddr(name); ok {
		var names []string
		if names, _, err = e.cfg.Resolver.Reverse(ctx, addr); err == nil {
			r.Answers = []relaymsg.Answer{{Type: relaymsg.AnswerName, Name: names[0], TTL: ttl}}
		}
	} else {
		var a resolver.Answer
		if a, err = e.cfg.Resolver.Resolve(ctx, name, resolver.Want{V4: true, V6: e.policy.Load().v6}); err == nil {
			r = firstOfEach(a)
		}
	}
	if err != nil {
		kind := relaymsg.AnswerError
		if why, ok := errors.AsType[*resolver.Error](err); ok && !why.Permanent {
			kind = relaymsg.AnswerErrorTransient
		}
		return failed(kind)
	}
	if _, err := r.AppendTo(nil); err != nil { // a nameserver's name can be anything
		return failed(relaymsg.AnswerError)
	}
	return r
}

// firstOfEach returns the first address of each family, IPv4 in front.
func firstOfEach(a resolver.Answer) (r relaymsg.Resolved) {
	for _, kind := range []uint8{relaymsg.AnswerIPv4, relaymsg.AnswerIPv6} {
		for _, addr := range a.Addrs {
			if addr.Is6() == (kind == relaymsg.AnswerIPv6) {
				r.Answers = append(r.Answers, relaymsg.Answer{Type: kind, Addr: addr, TTL: ttl})
				break
			}
		}
	}
	return r
}

func failed(kind uint8) relaymsg.Resolved {
	return relaymsg.Resolved{Answers: []relaymsg.Answer{{Type: kind, TTL: ttl}}}
}
