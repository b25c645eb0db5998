package relay

import (
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Middle is the Ends of a relay at which no stream ends: it refuses all of them.
type Middle struct{}

// Stream implements Ends.
//
// https://spec.torproject.org/tor-spec/opening-streams.html
func (Middle) Stream(_ *circuit.RelayCircuit, s stream.Incoming) {
	switch s.Cmd {
	case relaymsg.CmdResolve:
		s.Answer(relaymsg.Resolved{Answers: []relaymsg.Answer{{Type: relaymsg.AnswerError}}})
	case relaymsg.CmdBeginDir:
		s.Refuse(relaymsg.EndNotDirectory)
	default:
		s.Refuse(relaymsg.EndExitPolicy)
	}
}

// Receive implements Ends.
func (Middle) Receive(*circuit.RelayCircuit, relaymsg.Msg) error { return nil }

// Closed implements Ends.
func (Middle) Closed(*circuit.RelayCircuit) {}
