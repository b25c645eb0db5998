package circuit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/ntor"
	"github.com/tropea-net/tropea/internal/crypt/ntorv3"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Hop is what one must know of a relay to put it on a circuit.
type Hop struct {
	RSA   [20]byte
	Ed    [32]byte
	HasEd bool
	NTor  [32]byte         // its onion key
	V3    bool             // it speaks ntor-v3 (Relay=4)
	CC    bool             // ask it for congestion control; only with V3, and of the last hop of a circuit
	Pads  bool             // it has the machines that hide the set-up of circuits to onion services (Padding=2)
	Addrs []netip.AddrPort // its ORPorts; the first of each family is told to the relay before it
}

// Create makes a circuit of one hop over l, with the handshake that the relay's keys allow. If ctx ends before the relay
// has answered, the circuit is closed.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
func Create(ctx context.Context, l *link.Link, h Hop, opts Options) (*Circuit, error) {
	hs, err := startHandshake(h, opts.CC)
	if err != nil {
		return nil, err
	}
	body, err := cell.Create2{Type: hs.kind, Data: hs.request}.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	c, m, err := create(ctx, l, opts, cell.CmdCreate2, cell.CmdCreated2, body)
	if err != nil {
		return nil, err
	}
	reply, err := cell.ParseCreated2(m.body[:])
	if err == nil {
		err = c.addHop(hs, reply.Data)
	}
	if err != nil {
		return nil, c.broken(fmt.Errorf("CREATED2: %w", err))
	}
	return c, nil
}

// CreateFast makes a circuit of one hop without an onion key: the link's TLS alone proves who the relay is. It is for
// directory requests of a node that knows no keys yet.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html#create_fast
func CreateFast(ctx context.Context, l *link.Link, opts Options) (*Circuit, error) {
	var req cell.CreateFast
	rand.Read(req.X[:])
	body, err := req.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	c, m, err := create(ctx, l, opts, cell.CmdCreateFast, cell.CmdCreatedFast, body)
	if err != nil {
		return nil, err
	}
	reply, err := cell.ParseCreatedFast(m.body[:])
	if err != nil {
		return nil, c.broken(err)
	}
	keys, err := kdf.FinishFast(req.X, reply.Y, reply.KH)
	if err == nil {
		err = c.addKeys(keys, 0)
	}
	if err != nil {
		return nil, c.broken(fmt.Errorf("CREATED_FAST: %w", err))
	}
	return c, nil
}

// create sends the cell that makes a circuit, and waits for its answer.
func create(ctx context.Context, l *link.Link, opts Options, cmd, answer cell.Command, body []byte) (*Circuit, control, error) {
	c, err := newCircuit(l, opts)
	if err != nil {
		return nil, control{}, err
	}
	c.send.mu.Lock()
	c.send.expect = answer
	c.queue.AppendCell(c.id, cmd, body)
	c.send.mu.Unlock()
	m, err := c.await(ctx)
	return c, m, err
}

// Extend adds a hop to the end of the circuit. If ctx ends before it is there, or it fails, the circuit is closed.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html#EXTEND
func (c *Circuit) Extend(ctx context.Context, h Hop) error {
	hs, err := startHandshake(h, c.opts.CC)
	if err == nil {
		err = c.sendExtend(&h, hs)
	}
	if err != nil {
		c.close(err, cell.DestroyInternal)
		return c.err
	}
	m, err := c.await(ctx)
	if err != nil {
		return err
	}
	reply, err := relaymsg.ParseExtended2(m.msg.Body)
	if err == nil {
		err = c.addHop(hs, reply.Data)
	}
	if err != nil {
		return c.broken(fmt.Errorf("EXTENDED2: %w", err))
	}
	c.added(&h)
	return nil
}

func (c *Circuit) sendExtend(h *Hop, hs hopHandshake) error {
	body, err := relaymsg.Extend2{Specs: h.linkSpecs(), Type: hs.kind, Data: hs.request}.AppendTo(nil)
	if err != nil {
		return err
	}
	c.link.AddUsage(link.UsageCircuits)
	c.send.mu.Lock()
	defer c.send.mu.Unlock()
	if c.send.closed {
		return c.err
	}
	c.send.extend = true
	err = c.sealLocked(relaymsg.Msg{Cmd: relaymsg.CmdExtend2, Body: body})
	c.link.Out().Signal()
	return err
}

// broken closes the circuit for an error in the relay's part of the handshake, and returns it.
func (c *Circuit) broken(err error) error {
	c.close(&ProtocolError{err}, cell.DestroyProtocol)
	return c.err
}

// linkSpecs lists how the relay before h finds it.
func (h *Hop) linkSpecs() []linkspec.Spec {
	set := linkspec.Set{RSA: h.RSA, HasRSA: true, Ed: h.Ed, HasEd: h.HasEd}
	var has4, has6 bool
	for _, a := range h.Addrs {
		has := &has6
		if a.Addr().Is4() {
			has = &has4
		}
		if !*has {
			set.Addrs, *has = append(set.Addrs, a), true
		}
	}
	return set.Specs()
}

// hopHandshake is the client's side of a key exchange that has begun.
type hopHandshake struct {
	kind    cell.HandshakeType
	request []byte
	// finish returns the keys, and the SENDME increment of congestion control, 0 if there is none.
	finish func(reply []byte) (*kdf.Keys, int, error)
}

// startHandshake begins the best key exchange that h can do, and asks for congestion control where h and cc want it.
func startHandshake(h Hop, cc *congestion.Params) (hopHandshake, error) {
	if h.V3 && h.HasEd {
		if !h.CC || cc == nil || !cc.Enabled {
			cc = nil
		}
		return startNTorV3(h, cc)
	}
	state, msg, err := ntor.ClientStart(rand.Reader, h.RSA, h.NTor)
	if err != nil {
		return hopHandshake{}, err
	}
	return hopHandshake{cell.HandshakeNTor, msg[:], func(reply []byte) (*kdf.Keys, int, error) {
		keys, err := state.Finish(reply)
		return keys, 0, err
	}}, nil
}

// startNTorV3 begins an ntor-v3 handshake, which asks for congestion control if cc is not nil.
//
// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
func startNTorV3(h Hop, cc *congestion.Params) (hopHandshake, error) {
	var exts circext.List
	if cc != nil {
		exts = append(exts, circext.CCRequest())
	}
	request, err := exts.AppendTo(nil)
	if err != nil {
		return hopHandshake{}, err
	}
	state, msg, err := ntorv3.ClientStart(rand.Reader, h.Ed, h.NTor, ntorv3.Circuit, request)
	if err != nil {
		return hopHandshake{}, err
	}
	return hopHandshake{cell.HandshakeNTorV3, msg, func(reply []byte) (*kdf.Keys, int, error) {
		answer, keys, err := state.Finish(reply)
		if err != nil {
			return nil, 0, err
		}
		inc, err := ccAnswer(answer, cc)
		if err != nil {
			keys.Wipe()
			return nil, 0, err
		}
		return keys, inc, nil
	}}, nil
}

// ccAnswer reads the SENDME increment out of what the relay says to a request for congestion control. It is 0 if the
// relay does not want any.
func ccAnswer(answer []byte, cc *congestion.Params) (inc int, err error) {
	exts, err := circext.Parse(answer)
	if err != nil {
		return 0, err
	}
	for _, e := range exts {
		if e.Type != circext.TypeCCResponse {
			continue
		}
		if cc == nil {
			return 0, errors.New("relay answers to an extension that was not sent")
		}
		m, err := circext.ParseCCResponse(e.Body)
		if err != nil {
			return 0, err
		}
		if !cc.GoodInc(int(m.SendmeInc)) {
			return 0, fmt.Errorf("relay wants %d cells a SENDME, the consensus %d", m.SendmeInc, cc.Inc)
		}
		return int(m.SendmeInc), nil
	}
	return 0, nil
}

// addHop finishes a handshake and adds its keys to the circuit.
func (c *Circuit) addHop(hs hopHandshake, reply []byte) error {
	keys, ccInc, err := hs.finish(reply)
	if err != nil {
		return err
	}
	return c.addKeys(keys, ccInc)
}

// addKeys adds a tor1 hop with the keys of its handshake, which it wipes. Both directions change together: the relay cannot send before it
// has got something from us.
func (c *Circuit) addKeys(seed *kdf.Keys, ccInc int) error {
	material, kh := seed.Circuit(relaycrypt.TorOneKeyLen)
	seed.Wipe()
	defer clear(material)
	keys, err := relaycrypt.ParseTor1(material)
	if err != nil {
		return err
	}
	c.resetWindows(ccInc)
	c.send.mu.Lock()
	c.send.out.Add(keys.Forward())
	c.send.kh = kh
	c.send.mu.Unlock()
	c.recv.mu.Lock()
	c.recv.in.Add(keys.Backward())
	c.recv.mu.Unlock()
	return nil
}
