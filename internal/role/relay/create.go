package relay

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/ntor"
	"github.com/tropea-net/tropea/internal/crypt/ntorv3"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/circext"
)

// Create implements circuit.Relay. CREATE_FAST costs two hashes, and is answered at once.
func (r *Relay) Create(req *circuit.CreateRequest) {
	if r.cfg.MayCreate != nil {
		if ok, reason := r.cfg.MayCreate(req.Link()); !ok {
			req.Refuse(reason)
			return
		}
	}
	if req.Cmd == cell.CmdCreateFast {
		r.answer(req)
		return
	}
	if !r.queue.put(req.Link(), job{req, time.Now()}) {
		r.drop(req)
	}
}

// drop refuses a handshake since too many wait.
func (r *Relay) drop(req *circuit.CreateRequest) {
	req.Refuse(cell.DestroyResourceLimit)
	if r.cfg.Dropped != nil {
		r.cfg.Dropped()
	}
}

// work is one worker.
func (r *Relay) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.queue.jobs:
			j := r.queue.take()
			if time.Since(j.since) > r.cfg.QueueDelay() {
				// The client has given up, or will have before a circuit through us is there.
				r.drop(j.req)
				continue
			}
			r.answer(j.req)
		}
	}
}

// answer does a handshake. A panic refuses it, and the worker goes on.
func (r *Relay) answer(req *circuit.CreateRequest) {
	err := errors.New("panic in a handshake")
	safego.Run(r.cfg.Log, "onion skin", func() { err = r.shakeHands(req) })
	if err != nil {
		r.cfg.Log.Debug("circuit refused", "link", req.Link().ID(), "err", err)
		req.Refuse(cell.DestroyProtocol)
	}
}

func (r *Relay) shakeHands(req *circuit.CreateRequest) error {
	keys := r.cfg.Keys()
	if req.Cmd == cell.CmdCreateFast {
		// Any version of SENDME will do: clients that are too old for the other must be able to learn that from a directory
		// (sendme_is_valid in C tor).
		return fast(req)
	}
	if r.cfg.SendmeMin != nil {
		req.SendmeMin = r.cfg.SendmeMin()
	}
	switch {
	case req.Type == cell.HandshakeNTorV3:
		server, request, err := ntorv3.ServerOpen(keys.Ed, keys.Onion, ntorv3.Circuit, req.Data)
		if err != nil {
			return err
		}
		answer, cc, err := r.extensions(request)
		if err != nil {
			return err
		}
		reply, shared, err := server.Reply(rand.Reader, answer)
		if err != nil {
			return err
		}
		return req.Accept(shared, reply, cc)
	}
	reply, shared, err := ntor.ServerReply(rand.Reader, keys.RSA, keys.Onion, req.Data)
	if err != nil {
		return err
	}
	return req.Accept(shared, reply[:], nil)
}

var errSubprotocols = errors.New("client asks for a subprotocol that we do not have")

// extensions answers what an ntor-v3 handshake asks for. Congestion control is granted if the consensus has it; subprotocols,
// of which there are none yet, are a demand.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html#subproto-request
func (r *Relay) extensions(request []byte) (answer []byte, cc *congestion.Params, err error) {
	list, err := circext.Parse(request)
	if err != nil {
		return nil, nil, err
	}
	var out circext.List
	for _, e := range list {
		switch e.Type {
		case circext.TypeSubprotocols:
			return nil, nil, errSubprotocols
		case circext.TypeCCRequest:
			if r.cfg.CC == nil {
				continue
			}
			if cc = r.cfg.CC(); cc != nil && !cc.Enabled {
				cc = nil
			}
		}
	}
	if cc != nil {
		out = append(out, circext.CCResponse{SendmeInc: uint8(cc.Inc)}.Extension())
	}
	answer, err = out.AppendTo(nil)
	return answer, cc, err
}

func fast(req *circuit.CreateRequest) error {
	m := cell.CreatedFast{}
	rand.Read(m.Y[:])
	var keys *kdf.Keys
	m.KH, keys = kdf.Fast([20]byte(req.Data), m.Y)
	answer, err := m.AppendTo(nil)
	if err != nil {
		return err
	}
	return req.Accept(keys, answer, nil)
}
