package intropoint

import (
	"crypto/ed25519"
	"crypto/subtle"
	"errors"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

var (
	errMAC       = errors.New("ESTABLISH_INTRO is not from who has made the circuit")
	errSignature = errors.New("ESTABLISH_INTRO is not signed by its key")
)

// establish makes the relay an introduction point of whoever is at the other end of the circuit.
//
// The signature costs less than the handshake of a circuit, and each circuit has but one try: so the reader does it, and a
// flood holds up nobody but the link that it comes by.
func (p *Points) establish(c *circuit.RelayCircuit, body []byte) error {
	if err := c.Take(circuit.UseIntro); err != nil {
		return err
	}
	m, err := relaymsg.ParseEstablishIntro(body)
	if err != nil {
		return err
	}
	if err := verify(&m, c.KH()); err != nil {
		return err
	}
	answer, err := relaymsg.IntroEstablished{}.AppendTo(nil)
	if err != nil {
		return err
	}
	// The answer is to come before the first introduction.
	if err := c.Send(relaymsg.Msg{Cmd: relaymsg.CmdIntroEstablished, Body: answer}); err != nil {
		return err
	}
	p.register(&service{key: m.AuthKey, circ: c, own: ownLimits(m.Exts)})
	return nil
}

// verify checks that m belongs to the circuit, and to its key.
func verify(m *relaymsg.EstablishIntro, kh [20]byte) error {
	mac := relaymsg.EstablishIntroMAC(kh, m.Signed[:len(m.Signed)-len(m.MAC)])
	if subtle.ConstantTimeCompare(mac[:], m.MAC[:]) != 1 {
		return errMAC
	}
	signed := append([]byte(relaymsg.EstablishIntroPrefix), m.Signed...)
	if !ed25519.Verify(m.AuthKey[:], signed, m.Sig[:]) {
		return errSignature
	}
	return nil
}
