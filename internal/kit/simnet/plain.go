package simnet

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// Plain is a link.Security that encrypts nothing. It costs next to nothing, and leaves to the cells what they have to do: the
// responder shows its certificate, which CERTS must match, and both ends agree on a secret, which AUTHENTICATE proves.
//
//	initiator → nonce (32 bytes)
//	responder → nonce (32 bytes), length of the certificate (2 bytes), certificate
type Plain struct {
	// Cell is told of each cell of a fixed length that is sent; nil is told nothing.
	Cell func(from, to netip.AddrPort, circ cell.CircID, cmd cell.Command)
}

var _ link.Security = Plain{}

const nonceLen = 32

// Client implements link.Security.
func (s Plain) Client(ctx context.Context, c net.Conn) (link.SecureConn, error) {
	return s.shake(ctx, c, func(p *plainConn) error {
		if _, err := c.Write(p.nonces[:nonceLen]); err != nil {
			return err
		}
		var head [nonceLen + 2]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return err
		}
		copy(p.nonces[nonceLen:], head[:])
		p.cert = make([]byte, binary.BigEndian.Uint16(head[nonceLen:]))
		_, err := io.ReadFull(c, p.cert)
		return err
	}, 0)
}

// Server implements link.Security.
func (s Plain) Server(ctx context.Context, c net.Conn, cert *tls.Certificate) (link.SecureConn, error) {
	return s.shake(ctx, c, func(p *plainConn) error {
		if _, err := io.ReadFull(c, p.nonces[:nonceLen]); err != nil {
			return err
		}
		p.cert = cert.Certificate[0]
		out := append([]byte(nil), p.nonces[nonceLen:]...)
		out = binary.BigEndian.AppendUint16(out, uint16(len(p.cert)))
		_, err := c.Write(append(out, p.cert...))
		return err
	}, nonceLen)
}

// shake runs a side of the handshake; its nonce goes to own.
func (s Plain) shake(ctx context.Context, c net.Conn, run func(*plainConn) error, own int) (link.SecureConn, error) {
	p := &plainConn{Conn: c, tap: s.Cell}
	rand.Read(p.nonces[own : own+nonceLen])
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	err := run(p)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return p, nil
}

type plainConn struct {
	net.Conn
	tap    func(from, to netip.AddrPort, circ cell.CircID, cmd cell.Command)
	nonces [2 * nonceLen]byte
	cert   []byte
}

// cellLen is the length of fixed cells on links of version 4 and later. An open link writes whole cells.
const cellLen = 5 + cell.BodyLen

func (p *plainConn) Write(b []byte) (int, error) {
	if p.tap != nil && len(b)%cellLen == 0 {
		from, to := addrOf(p.LocalAddr()), addrOf(p.RemoteAddr())
		for c := range slices.Chunk(b, cellLen) {
			p.tap(from, to, cell.CircID(binary.BigEndian.Uint32(c)), cell.Command(c[4]))
		}
	}
	return p.Conn.Write(b)
}

func (p *plainConn) Certificate() []byte { return p.cert }

// RecordReady is false, as each Read brings all that there is.
func (p *plainConn) RecordReady() bool { return false }

func (p *plainConn) Await() error {
	if w, ok := p.Conn.(netx.ReadWaiter); ok {
		return w.WaitReadable()
	}
	return nil
}

func (p *plainConn) Cork()        {}
func (p *plainConn) Flush() error { return nil }

var errLength = errors.New("simnet: more keying material than a hash")

func (p *plainConn) ExportKeyingMaterial(label string, context []byte, n int) ([]byte, error) {
	if n > sha256.Size {
		return nil, errLength
	}
	h := hmac.New(sha256.New, p.nonces[:])
	h.Write([]byte(label))
	h.Write(context)
	return h.Sum(nil)[:n], nil
}

func addrOf(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}
