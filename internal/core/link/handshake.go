package link

import (
	"crypto/sha256"
	"fmt"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// An initiator is the side of the handshake that has connected, after TLS. A relay proves who it is; a client, whose self
// is nil, does not. Each step reads what the one before it has set.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
type initiator struct {
	shake
	want      Target
	challenge cell.AuthChallenge
}

// run does the handshake. conn, now and want must be set.
func (h *initiator) run() error {
	return runSteps(h.sendVersions, h.readVersions, h.readCerts, h.readAuthChallenge, h.finish, h.readNetinfo)
}

func (h *initiator) readCerts() error {
	c, err := h.next(cell.CmdCerts)
	if err != nil {
		return err
	}
	list, err := parseCerts(c.Body)
	if err != nil {
		return err
	}
	h.ids, err = torcert.CheckResponder(list, h.conn.Certificate(), h.now())
	if err != nil {
		return &ProtocolError{fmt.Errorf("CERTS: %w", err)}
	}
	h.proven = true
	return h.want.check(h.ids)
}

// readAuthChallenge reads a cell that only relays answer. A client has no identity to prove, but the cell must come.
func (h *initiator) readAuthChallenge() error {
	c, err := h.next(cell.CmdAuthChallenge)
	if err != nil {
		return err
	}
	if h.challenge, err = cell.ParseAuthChallenge(c.Body); err != nil {
		return &ProtocolError{err}
	}
	return nil
}

// finish sends NETINFO, and before it, if we are a relay, who we are.
func (h *initiator) finish() error {
	var out []byte
	var err error
	if h.self != nil && h.challenge.Offers(cell.AuthEd25519SHA256RFC5705) {
		if out, err = h.proof(); err != nil {
			return err
		}
	}
	body, err := h.netinfoBody()
	if err != nil {
		return err
	}
	if out, err = h.append(out, h.framing, cell.CmdNetinfo, body); err != nil {
		return err
	}
	return h.write(out)
}

// proof returns CERTS and AUTHENTICATE.
func (h *initiator) proof() ([]byte, error) {
	body, err := certsBody(h.self.Initiator)
	if err != nil {
		return nil, err
	}
	out, err := h.append(nil, h.framing, cell.CmdCerts, body)
	if err != nil {
		return nil, err
	}
	h.noteLast() // AUTH_CHALLENGE
	bind := authBinding{
		initiator: h.self.ids(), responder: h.ids,
		responderLog: [32]byte(h.received.Sum(nil)), initiatorLog: [32]byte(h.sent.Sum(nil)),
		tlsCert: sha256.Sum256(h.conn.Certificate()),
	}
	if err := bind.export(h.conn); err != nil {
		return nil, err
	}
	if body, err = bind.sign(h.self.Auth); err != nil {
		return nil, err
	}
	return h.append(out, h.framing, cell.CmdAuthenticate, body)
}

func (h *initiator) readNetinfo() error {
	c, err := h.next(cell.CmdNetinfo)
	if err != nil {
		return err
	}
	return h.takeNetinfo(c.Body)
}
