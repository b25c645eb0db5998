package relay

import (
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Middle is the Ends of a relay at which no stream ends: it refuses all of them.
type Middle struct{}

// Receive implements Ends.
//
// https://spec.torproject.org/tor-spec/opening-streams.html
func (Middle) Receive(c *circuit.RelayCircuit, m relaymsg.Msg, _ relaycrypt.Tag) error {
	answer := relaymsg.Msg{Stream: m.Stream}
	var err error
	switch m.Cmd {
	case relaymsg.CmdBegin:
		answer.Cmd = relaymsg.CmdEnd
		answer.Body, err = relaymsg.End{Reason: relaymsg.EndExitPolicy}.AppendTo(nil)
	case relaymsg.CmdBeginDir:
		answer.Cmd = relaymsg.CmdEnd
		answer.Body, err = relaymsg.End{Reason: relaymsg.EndNotDirectory}.AppendTo(nil)
	case relaymsg.CmdResolve:
		answer.Cmd = relaymsg.CmdResolved
		answer.Body, err = relaymsg.Resolved{Answers: []relaymsg.Answer{{Type: relaymsg.AnswerError}}}.AppendTo(nil)
	default:
		return nil // for streams that we have refused: optimistic data, END
	}
	if err != nil {
		return err
	}
	_, err = c.Send(answer)
	return err
}

// Closed implements Ends.
func (Middle) Closed(*circuit.RelayCircuit) {}
