package link

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
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

// A shake is what both sides of a handshake have in common: cells in and out, and what they make of them.
type shake struct {
	conn SecureConn
	self *Credentials // nil for a client
	mine []netip.Addr // told in NETINFO, by relays
	now  func() time.Time

	in       []byte    // read and not yet parsed
	read     int       // bytes read so far
	last     []byte    // the cell that next has returned, and the log does not have yet
	sent     hash.Hash // of all that was sent
	received hash.Hash // of all that was received, but for last

	framing cell.Framing
	proto   uint16
	sentAt  time.Time // of VERSIONS, for the clock skew

	// What came of it.
	ids       torcert.Identities
	proven    bool // ids are
	skew      time.Duration
	seenFrom  netip.Addr   // our address, as the peer sees it
	peerAddrs []netip.Addr // the peer's addresses, as it has them
}

func newShake(conn SecureConn, now func() time.Time) shake {
	return shake{conn: conn, now: now, framing: cell.FramingFor(0), sent: sha256.New(), received: sha256.New()}
}

func runSteps(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (h *shake) sendVersions() error {
	body, err := cell.Versions{Versions: []uint16{3, 4, 5}}.AppendTo(nil)
	if err != nil {
		return err
	}
	h.sentAt = time.Now()
	b, err := h.append(nil, cell.FramingFor(0), cell.CmdVersions, body)
	if err != nil {
		return err
	}
	return h.write(b)
}

func (h *shake) readVersions() error {
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
		return violation("no common link protocol: peer speaks %v, we speak 3 to 5", v.Versions)
	}
	h.framing = cell.FramingFor(h.proto)
	return nil
}

// parseCerts reads the body of a CERTS cell.
func parseCerts(body []byte) ([]torcert.Entry, error) {
	certs, err := cell.ParseCerts(body)
	if err != nil {
		return nil, &ProtocolError{err}
	}
	list := make([]torcert.Entry, len(certs.Certs))
	for i, e := range certs.Certs {
		list[i] = torcert.Entry{Type: e.Type, Body: e.Body}
	}
	return list, nil
}

// certsBody makes the body of a CERTS cell.
func certsBody(list []torcert.Entry) ([]byte, error) {
	var m cell.Certs
	for _, e := range list {
		m.Certs = append(m.Certs, cell.CertEntry{Type: e.Type, Body: e.Body})
	}
	return m.AppendTo(nil)
}

// netinfoBody makes the body of our NETINFO. Clients tell no time, so that nobody can recognise them by their clock, and
// no address of their own.
func (h *shake) netinfoBody() ([]byte, error) {
	m := cell.Netinfo{Other: netx.RemoteAddr(h.conn).Addr()}
	if h.self != nil {
		m.Time, m.Mine = uint32(h.now().Unix()), h.mine
	}
	return m.AppendTo(nil)
}

// takeNetinfo reads the body of the peer's NETINFO.
func (h *shake) takeNetinfo(body []byte) error {
	n, err := cell.ParseNetinfo(body)
	if err != nil {
		return &ProtocolError{err}
	}
	if n.Time != 0 && time.Since(h.sentAt) < skewTrust {
		h.skew = h.now().Sub(time.Unix(int64(n.Time), 0)).Truncate(time.Second)
	}
	h.seenFrom, h.peerAddrs = n.Other, n.Mine
	return nil
}

// next returns the next cell, which must be one of cmds. VPADDING and AUTHORIZE may come at any time, and are skipped.
func (h *shake) next(cmds ...cell.Command) (cell.Cell, error) {
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
		h.noteLast()
		h.last, h.in = h.in[:n], h.in[n:]
		switch {
		case slices.Contains(cmds, c.Cmd) && c.Circ == 0:
			return c, nil
		case slices.Contains(cmds, c.Cmd):
			return c, violation("%v with a circuit ID", c.Cmd)
		case c.Cmd == cell.CmdVPadding || c.Cmd == cell.CmdAuthorize:
		case h.proto != 0 && c.Cmd == cell.CmdVersions: // a second one is dropped, as C tor does
		default:
			return c, violation("%v when %v was due", c.Cmd, cmds[0])
		}
	}
}

// noteLast adds the last cell to the log of what was received.
func (h *shake) noteLast() {
	h.received.Write(h.last)
	h.last = nil
}

// fill reads more into h.in, behind what is there: cells that next has returned stay valid.
func (h *shake) fill() error {
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

// append adds a cell to dst, and to the log of what was sent.
func (h *shake) append(dst []byte, f cell.Framing, cmd cell.Command, body []byte) ([]byte, error) {
	start := len(dst)
	dst, err := f.AppendCell(dst, cell.Cell{Cmd: cmd, Body: body})
	if err == nil {
		h.sent.Write(dst[start:])
	}
	return dst, err
}

func (h *shake) write(b []byte) error {
	if _, err := h.conn.Write(b); err != nil {
		return fmt.Errorf("link handshake: %w", err)
	}
	return nil
}
