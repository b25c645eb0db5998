package link

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// A responder is the side of the handshake that has accepted the connection, after TLS. Each step reads what the one
// before it has set.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
type responder struct {
	shake
	log [32]byte // of all that we sent, AUTH_CHALLENGE being the last
}

// run does the handshake. conn, now and self must be set.
func (h *responder) run() error {
	return runSteps(h.readVersions, h.sendVersions, h.introduce, h.readPeer)
}

// introduce sends CERTS, AUTH_CHALLENGE and NETINFO.
func (h *responder) introduce() error {
	certs, err := certsBody(h.self.Responder)
	if err != nil {
		return err
	}
	challenge := cell.AuthChallenge{Methods: []uint16{cell.AuthEd25519SHA256RFC5705}}
	rand.Read(challenge.Challenge[:])
	challengeBody, err := challenge.AppendTo(nil)
	if err != nil {
		return err
	}
	netinfo, err := h.netinfoBody()
	if err != nil {
		return err
	}
	out, err := h.append(nil, h.framing, cell.CmdCerts, certs)
	if err != nil {
		return err
	}
	if out, err = h.append(out, h.framing, cell.CmdAuthChallenge, challengeBody); err != nil {
		return err
	}
	h.log = [32]byte(h.sent.Sum(nil))
	if out, err = h.append(out, h.framing, cell.CmdNetinfo, netinfo); err != nil {
		return err
	}
	return h.write(out)
}

// readPeer reads up to NETINFO: CERTS and AUTHENTICATE from a relay, nothing before it from a client. One that shows
// certificates and does not prove that they are its own is a client too.
func (h *responder) readPeer() error {
	c, err := h.next(cell.CmdNetinfo, cell.CmdCerts)
	if err != nil {
		return err
	}
	if c.Cmd == cell.CmdCerts {
		ids, key, err := h.checkCerts(c.Body)
		if err != nil {
			return err
		}
		if c, err = h.next(cell.CmdNetinfo, cell.CmdAuthenticate); err != nil {
			return err
		}
		if c.Cmd == cell.CmdAuthenticate {
			if err := h.checkProof(c.Body, ids, key); err != nil {
				return err
			}
			if c, err = h.next(cell.CmdNetinfo); err != nil {
				return err
			}
		}
	}
	return h.takeNetinfo(c.Body)
}

func (h *responder) checkCerts(body []byte) (torcert.Identities, ed25519.PublicKey, error) {
	list, err := parseCerts(body)
	if err != nil {
		return torcert.Identities{}, nil, err
	}
	ids, key, err := torcert.CheckInitiator(list, h.now())
	if err != nil {
		return ids, nil, &ProtocolError{fmt.Errorf("CERTS: %w", err)}
	}
	return ids, key, nil
}

// checkProof checks AUTHENTICATE, which has been received last.
func (h *responder) checkProof(body []byte, ids torcert.Identities, key ed25519.PublicKey) error {
	m, err := cell.ParseAuthenticate(body)
	if err != nil {
		return &ProtocolError{err}
	}
	bind := authBinding{
		initiator: ids, responder: h.self.ids(),
		responderLog: h.log, initiatorLog: [32]byte(h.received.Sum(nil)),
		tlsCert: sha256.Sum256(h.conn.Certificate()),
	}
	if err := bind.export(h.conn); err != nil {
		return err
	}
	if err := bind.verify(m, key); err != nil {
		return err
	}
	h.ids, h.proven = ids, true
	return nil
}
