package circuit

import (
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Relay is what a node does for others' circuits. The readers of links call it, so no method may block; what takes time
// goes elsewhere. Bodies alias the reader's buffer.
type Relay interface {
	// Create is to answer a request for a circuit, by its Accept or Refuse, at any time.
	Create(req *CreateRequest)
	// Extend is to find a link for a circuit that goes on, and to call its Connected or Failed, at any time.
	Extend(req *ExtendRequest)
	// Stream is to serve a stream that was opened at the end of a circuit at this relay, or to refuse it.
	Stream(c *RelayCircuit, s stream.Incoming)
	// Receive takes any other message that came to the end of a circuit at this relay, and that is not about the circuit
	// itself. An error closes the circuit with PROTOCOL.
	Receive(c *RelayCircuit, m relaymsg.Msg) error
	// Padder returns what pads circuits of clients that ask for it; nil if nothing does.
	Padder() *Padder
	// Closed tells that a circuit is over. It may be called from any goroutine.
	Closed(c *RelayCircuit)
}

// A CreateRequest is a CREATE2 or CREATE_FAST cell that waits for its answer.
type CreateRequest struct {
	circ *RelayCircuit
	Cmd  cell.Command       // CREATE2 or CREATE_FAST
	Type cell.HandshakeType // of CREATE2
	Data []byte             // the client's part of the handshake; a copy

	SendmeMin uint8 // the oldest version of SENDME that the circuit is to take; set before Accept
}

// Link returns the link by which the request came.
func (r *CreateRequest) Link() *link.Link { return r.circ.prev.table.link }

// Accept makes the circuit with the keys of the handshake, which it wipes, and answers with the relay's part of it. With
// cc, that part grants congestion control, and cc.Inc is in it; else cc is nil.
func (r *CreateRequest) Accept(keys *kdf.Keys, answer []byte, cc *congestion.Params) error {
	defer keys.Wipe()
	material, kh := keys.Circuit(relaycrypt.TorOneKeyLen)
	defer clear(material)
	k, err := relaycrypt.ParseTor1(material)
	if err != nil {
		return err
	}
	cmd, body := cell.CmdCreatedFast, answer
	if r.Cmd == cell.CmdCreate2 {
		cmd = cell.CmdCreated2
		if body, err = (cell.Created2{Data: answer}).AppendTo(nil); err != nil {
			return err
		}
	}
	r.circ.cc, r.circ.sendmeMin, r.circ.kh = cc, r.SendmeMin, kh
	r.circ.created(relaycrypt.NewRelay(k), cmd, body)
	return nil
}

// Refuse answers DESTROY.
func (r *CreateRequest) Refuse(reason cell.DestroyReason) { r.circ.close(reason, closedHere) }

func creates(cmd cell.Command) bool {
	return cmd == cell.CmdCreate2 || cmd == cell.CmdCreateFast || cmd == cell.CmdCreate
}

// create looks at a cell that wants a new circuit. The order of the checks is C tor's (command_process_create_cell).
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
func (t *Table) create(c *link.Cell) {
	// "The MSB tells which end has chosen the ID": one of ours could be in use for a circuit that we create right now.
	if t.link.Proto() >= 4 && (c.Circ&t.highBit() != 0) == t.link.Initiated() {
		t.refuse(c.Circ, cell.DestroyProtocol)
		return
	}
	req := &CreateRequest{Cmd: c.Cmd}
	switch c.Cmd {
	case cell.CmdCreateFast:
		m, err := cell.ParseCreateFast(c.Body[:])
		if err != nil {
			t.refuse(c.Circ, cell.DestroyProtocol)
			return
		}
		req.Data = m.X[:]
	case cell.CmdCreate2:
		m, err := cell.ParseCreate2(c.Body[:])
		if err != nil || m.Type != cell.HandshakeNTor && m.Type != cell.HandshakeNTorV3 {
			t.refuse(c.Circ, cell.DestroyProtocol)
			return
		}
		req.Type, req.Data = m.Type, append([]byte(nil), m.Data...)
	default: // CREATE, whose handshake is TAP
		t.refuse(c.Circ, cell.DestroyProtocol)
		return
	}
	req.circ = newRelayCircuit(t, c.Circ)
	if t.enter(c.Circ, &req.circ.fwd.Half) { // else it came twice in this batch: the second is dropped
		t.relay.Create(req)
	}
}

func (t *Table) refuse(id cell.CircID, reason cell.DestroyReason) {
	t.link.Destroy(id, reason)
}
