package hsntor

import (
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Point is an introduction point as its service knows it.
type Point struct {
	AuthKey [32]byte // Ed25519
	Enc     *x25519.KeyPair
}

// Request is a client's introduction.
type Request struct {
	relaymsg.IntroducePlaintext

	point Point
	x     [32]byte // the client's key
}

// Open decrypts the body of an INTRODUCE2 message. The client may have used any of the subcredentials: a service has two
// descriptors. What the result holds does not alias body.
//
// A repeated message opens as the first did: whoever calls this looks first whether the encrypted part is known.
func (p Point) Open(body []byte, subcredentials ...[32]byte) (*Request, error) {
	m, err := relaymsg.ParseIntroduce(body)
	if err != nil {
		return nil, err
	}
	if m.AuthKey != p.AuthKey {
		return nil, fmt.Errorf("introduction: %w", ErrOtherPoint)
	}
	n := len(m.Encrypted) - macLen
	if n < 32 {
		return nil, ErrTruncated
	}
	r := &Request{point: p, x: [32]byte(m.Encrypted)}
	in := intro{authKey: p.AuthKey, X: r.x, B: p.Enc.Public()}
	var ok bool
	in.Bx, ok = p.Enc.Shared(&r.x)
	defer clear(in.Bx[:])
	var found introKeys
	okMAC := 0
	for _, s := range subcredentials {
		keys := in.keys(s)
		code := mac(keys.mac[:], body[:len(body)-macLen])
		same := subtle.ConstantTimeCompare(code[:], m.Encrypted[n:])
		subtle.ConstantTimeCopy(same, found.enc[:], keys.enc[:])
		okMAC |= same
	}
	switch {
	case !ok:
		return nil, fmt.Errorf("introduction: %w", ErrWeakKey)
	case okMAC == 0:
		return nil, fmt.Errorf("introduction: %w", ErrAuth)
	}
	text := append([]byte(nil), m.Encrypted[32:n]...)
	found.crypt(text)
	if r.IntroducePlaintext, err = relaymsg.ParseIntroducePlaintext(text); err != nil {
		return nil, err
	}
	return r, nil
}

// Reply finishes the handshake: it makes the answer, which goes into a RENDEZVOUS1 message, and the keys that are shared with
// the client.
func (r *Request) Reply(rand io.Reader) (relaymsg.Rendezvous2, *kdf.Keys, error) {
	eph, err := x25519.Generate(rand)
	if err != nil {
		return relaymsg.Rendezvous2{}, nil, fmt.Errorf("hs-ntor: %w", err)
	}
	return r.reply(eph)
}

func (r *Request) reply(eph *x25519.KeyPair) (relaymsg.Rendezvous2, *kdf.Keys, error) {
	defer eph.Wipe()
	e := rend{authKey: r.point.AuthKey, B: r.point.Enc.Public(), X: r.x, Y: eph.Public()}
	var okY, okB bool
	e.Xy, okY = eph.Shared(&r.x)
	e.Xb, okB = r.point.Enc.Shared(&r.x)
	auth, keys := e.derive()
	e.wipe()
	if !okY || !okB {
		keys.Wipe()
		return relaymsg.Rendezvous2{}, nil, fmt.Errorf("introduction: %w", ErrWeakKey)
	}
	return relaymsg.Rendezvous2{Y: e.Y, Auth: auth}, keys, nil
}
