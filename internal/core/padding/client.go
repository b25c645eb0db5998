package padding

import (
	"errors"

	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A Client is the client's end of the machines on one circuit, of which there is one at a time. The zero value has none.
type Client struct {
	machine Machine
	ctr     uint32 // counts the machines of the circuit; 0 if none was ever asked for
	state   clientState
	refused bool // the relay has none: it is not asked again
}

// clientState is the life of a machine. Padding may come until the relay has said that there will be no more.
//
//	none → running → none            the relay stops it, or refuses
//	       running → stopping → none the client stops it
type clientState uint8

const (
	clientNone clientState = iota
	clientRunning
	clientStopping
)

// Start begins a machine. It returns what the relay is to be told, and false if no machine can begin now.
func (c *Client) Start(m Machine) (relaymsg.PaddingNegotiate, bool) {
	if c.refused || c.state == clientRunning {
		return relaymsg.PaddingNegotiate{}, false
	}
	if c.ctr++; c.ctr == 0 { // that would mean any machine
		c.ctr = 1
	}
	c.machine, c.state = m, clientRunning
	return relaymsg.PaddingNegotiate{Command: relaymsg.PaddingStart, MachineType: uint8(m), MachineCtr: c.ctr}, true
}

// Stop ends the machine. It returns what the relay is to be told, and false if there is no machine.
func (c *Client) Stop() (relaymsg.PaddingNegotiate, bool) {
	if c.state != clientRunning {
		return relaymsg.PaddingNegotiate{}, false
	}
	c.state = clientStopping
	return relaymsg.PaddingNegotiate{Command: relaymsg.PaddingStop, MachineType: uint8(c.machine), MachineCtr: c.ctr}, true
}

var errUnasked = errors.New("PADDING_NEGOTIATED, and nothing was negotiated")

// Negotiated takes what the relay says. Of a machine before this one it may speak still.
func (c *Client) Negotiated(m relaymsg.PaddingNegotiated) error {
	if c.ctr == 0 {
		return errUnasked
	}
	if Machine(m.MachineType) != c.machine || m.MachineCtr != 0 && m.MachineCtr != c.ctr {
		return nil
	}
	switch {
	case m.Command == relaymsg.PaddingStop:
		c.state = clientNone
	case m.Response == relaymsg.PaddingErr:
		c.state, c.refused = clientNone, true
	}
	return nil
}

// Running tells whether there is a machine that neither end has stopped.
func (c *Client) Running() bool { return c.state == clientRunning }

// Expects tells whether padding may come.
func (c *Client) Expects() bool { return c.state != clientNone }
