package link

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

const (
	// maxHandshake bounds what a peer may send before the link is open: CERTS is the largest cell, and 64 KiB its limit.
	maxHandshake = 128 << 10
	// handshakeRead is how many bytes are read at once. What is left of them when the link opens goes to the reader.
	handshakeRead = 4 << 10
	// skewTrust is how long after our VERSIONS a NETINFO may come for its timestamp to say something about clocks.
	skewTrust = 180 * time.Second
)

// A handshake is the initiator's side of opening a link, after TLS. Each step reads what the one before it has set.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
type handshake struct {
	conn SecureConn
	want Target
	now  func() time.Time
	log  *slog.Logger

	in   []byte // read and not yet parsed
	read int    // bytes read so far

	framing   cell.Framing
	proto     uint16
	sentAt    time.Time // of VERSIONS, for the clock skew
	ids       torcert.Identities
	skew      time.Duration
	mine      netip.Addr
	challenge cell.AuthChallenge
}

// run does the handshake. conn, want, now and log must be set.
func (h *handshake) run() error {
	h.framing = cell.FramingFor(0)
	steps := []func() error{
		h.sendVersions,
		h.readVersions,
		h.readCerts,
		h.readAuthChallenge,
		h.sendNetinfo,
		h.readNetinfo,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (h *handshake) sendVersions() error {
	body, err := cell.Versions{Versions: []uint16{3, 4, 5}}.AppendTo(nil)
	if err != nil {
		return err
	}
	h.sentAt = time.Now()
	return h.send(cell.CmdVersions, body)
}

func (h *handshake) readVersions() error {
	c, err := h.next(cell.CmdVersions)
	if err != nil {
		return err
	}
	v, err := cell.ParseVersions(c.Body)
	if err != nil {
		return &ProtocolError{err}
	}
	for _, n := range v.Versions {
		if n >= 3 && n <= 5 {
			h.proto = max(h.proto, n)
		}
	}
	if h.proto == 0 {
		return violation("no common link protocol: relay speaks %v, we speak 3 to 5", v.Versions)
	}
	h.framing = cell.FramingFor(h.proto)
	return nil
}

func (h *handshake) readCerts() error {
	c, err := h.next(cell.CmdCerts)
	if err != nil {
		return err
	}
	certs, err := cell.ParseCerts(c.Body)
	if err != nil {
		return &ProtocolError{err}
	}
	list := make([]torcert.Entry, len(certs.Certs))
	for i, e := range certs.Certs {
		list[i] = torcert.Entry{Type: e.Type, Body: e.Body}
	}
	h.ids, err = torcert.CheckResponder(list, h.conn.PeerCertificate(), h.now())
	if err != nil {
		return &ProtocolError{fmt.Errorf("CERTS: %w", err)}
	}
	return h.want.check(h.ids)
}

// readAuthChallenge reads a cell that only relays answer. A client has no identity to prove, but the cell must come.
func (h *handshake) readAuthChallenge() error {
	c, err := h.next(cell.CmdAuthChallenge)
	if err != nil {
		return err
	}
	if h.challenge, err = cell.ParseAuthChallenge(c.Body); err != nil {
		return &ProtocolError{err}
	}
	return nil
}

// sendNetinfo tells the relay its address and nothing of us: clients send no time, so that nobody can recognise them by
// their clock, and no address of their own.
func (h *handshake) sendNetinfo() error {
	body, err := cell.Netinfo{Other: remoteAddr(h.conn).Addr()}.AppendTo(nil)
	if err != nil {
		return err
	}
	return h.send(cell.CmdNetinfo, body)
}

func (h *handshake) readNetinfo() error {
	c, err := h.next(cell.CmdNetinfo)
	if err != nil {
		return err
	}
	n, err := cell.ParseNetinfo(c.Body)
	if err != nil {
		return &ProtocolError{err}
	}
	if n.Time != 0 && time.Since(h.sentAt) < skewTrust {
		h.skew = h.now().Sub(time.Unix(int64(n.Time), 0)).Truncate(time.Second)
	}
	h.mine = n.Other
	return nil
}

// next returns the next cell, which must be cmd. VPADDING and AUTHORIZE may come at any time, and are skipped.
func (h *handshake) next(cmd cell.Command) (cell.Cell, error) {
	for {
		c, n, err := h.framing.Next(h.in)
		switch {
		case err != nil:
			return c, &ProtocolError{err}
		case n == 0:
			if err := h.fill(); err != nil {
				return c, err
			}
			continue
		}
		h.in = h.in[n:]
		switch {
		case c.Cmd == cmd && c.Circ == 0:
			return c, nil
		case c.Cmd == cmd:
			return c, violation("%v with a circuit ID", cmd)
		case c.Cmd == cell.CmdVPadding || c.Cmd == cell.CmdAuthorize:
		case h.proto != 0 && c.Cmd == cell.CmdVersions: // a second one is dropped, as C tor does
		default:
			return c, violation("%v when %v was due", c.Cmd, cmd)
		}
	}
}

// fill reads more into h.in, behind what is there: cells that next has returned stay valid.
func (h *handshake) fill() error {
	if h.read >= maxHandshake {
		return violation("more than %d bytes before the link was open", maxHandshake)
	}
	// Grow moves h.in as seldom as append does, in however small pieces the relay sends.
	h.in = slices.Grow(h.in, handshakeRead)
	n, err := h.conn.Read(h.in[len(h.in) : len(h.in)+handshakeRead])
	if n == 0 && err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("link handshake: %w", err)
	}
	h.read += n
	h.in = h.in[:len(h.in)+n]
	return nil
}

func (h *handshake) send(cmd cell.Command, body []byte) error {
	b, err := h.framing.AppendCell(nil, cell.Cell{Cmd: cmd, Body: body})
	if err != nil {
		return err
	}
	if _, err := h.conn.Write(b); err != nil {
		return fmt.Errorf("link handshake: %w", err)
	}
	return nil
}
