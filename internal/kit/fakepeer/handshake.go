package fakepeer

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// certLifetime is that of TLS certificates.
const certLifetime = 30 * 24 * time.Hour

// readLen is how much room there is at least for a Read: a whole TLS record.
const readLen = 16 << 10

// reader cuts a connection into cells.
type reader struct {
	conn net.Conn
	mem  []byte
	buf  []byte // the part of mem that has been read and not yet used
}

// next returns the next cell, or false when the connection is over. It is valid until the next call.
func (r *reader) next(f cell.Framing) (cell.Cell, bool) {
	for {
		c, n, err := f.Next(r.buf)
		if err != nil {
			return c, false
		}
		if n > 0 {
			r.buf = r.buf[n:]
			return c, true
		}
		// The cell before this one, which aliases r.buf, has been dealt with.
		rest := copy(r.mem, r.buf)
		if len(r.mem)-rest < readLen {
			r.mem = slices.Grow(r.mem[:rest], cell.MaxVariableLen+readLen)
			r.mem = r.mem[:cap(r.mem)]
			copy(r.mem, r.buf)
		}
		m, err := r.conn.Read(r.mem[rest:])
		if m == 0 && err != nil {
			return c, false
		}
		r.buf = r.mem[:rest+m]
	}
}

// A handshake is the responder's side of opening a link.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
type handshake struct {
	conn  *Conn
	in    *reader
	certs []torcert.Entry
}

// run does the handshake, and reports whether the link is open.
func (h *handshake) run() bool {
	if !h.readVersions() {
		return false
	}
	return h.sendSteps() && h.readNetinfo()
}

func (h *handshake) readVersions() bool {
	r := h.conn.relay
	c, ok := h.in.next(cell.FramingFor(0))
	if !ok {
		return false
	}
	v, err := cell.ParseVersions(c.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Cmd != cell.CmdVersions || c.Circ != 0 || err != nil {
		r.violationLocked("first cell is %v of circuit %d (%v)", c.Cmd, c.Circ, err)
		return false
	}
	if !slices.IsSorted(v.Versions) {
		r.violationLocked("VERSIONS %v", v.Versions)
	}
	for _, n := range v.Versions {
		if slices.Contains(r.cfg.Protos, n) {
			h.conn.proto = max(h.conn.proto, n)
		}
	}
	h.conn.framing = cell.FramingFor(h.conn.proto)
	return true
}

// sendSteps sends VERSIONS and all before it with short circuit IDs, and the rest as agreed. It reports whether the
// connection goes on.
func (h *handshake) sendSteps() bool {
	out, last := h.steps()
	record := len(out)
	if h.conn.relay.cfg.Dribble {
		record = 1
	}
	for part := range slices.Chunk(out, max(record, 1)) {
		if _, err := h.conn.tls.Write(part); err != nil {
			return false
		}
	}
	return !last
}

// steps returns the bytes to send, and whether the connection ends then.
func (h *handshake) steps() (out []byte, last bool) {
	cfg := &h.conn.relay.cfg
	challenge := cell.AuthChallenge{Challenge: [32]byte(randomBytes(32)), Methods: []uint16{cell.AuthEd25519SHA256RFC5705}}
	info := cell.Netinfo{Time: uint32(cfg.Now().Unix()), Other: addrOf(h.conn.tls.RemoteAddr())}
	if a := addrOf(h.conn.tls.LocalAddr()); a.IsValid() {
		info.Mine = []netip.Addr{a}
	}
	steps := []Step{
		{Cell: cell.Cell{Cmd: cell.CmdVersions, Body: must(cell.Versions{Versions: cfg.Protos}.AppendTo(nil))}},
		{Cell: cell.Cell{Cmd: cell.CmdCerts, Body: CertsBody(h.certs)}},
		{Cell: cell.Cell{Cmd: cell.CmdAuthChallenge, Body: must(challenge.AppendTo(nil))}},
		{Cell: cell.Cell{Cmd: cell.CmdNetinfo, Body: must(info.AppendTo(nil))}},
	}
	if hook := cfg.Hooks.Handshake; hook != nil {
		steps = hook(steps)
	}
	framing := cell.FramingFor(0)
	for _, s := range steps {
		if s.Raw != nil {
			out = append(out, s.Raw...)
		} else {
			out = must(framing.AppendCell(out, s.Cell))
		}
		if s.Cut {
			return out, true
		}
		if s.Cell.Cmd == cell.CmdVersions {
			framing = h.conn.framing
		}
	}
	return out, false
}

func (h *handshake) readNetinfo() bool {
	c, ok := h.in.next(h.conn.framing)
	for ok && (c.Cmd == cell.CmdVPadding || c.Cmd == cell.CmdCerts || c.Cmd == cell.CmdAuthenticate) {
		h.conn.fromRelay = h.conn.fromRelay || c.Cmd == cell.CmdAuthenticate // it is believed: others check that
		c, ok = h.in.next(h.conn.framing)
	}
	if !ok {
		return false
	}
	info, err := cell.ParseNetinfo(c.Body)
	r := h.conn.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	self := addrOf(h.conn.tls.LocalAddr())
	switch {
	case c.Cmd != cell.CmdNetinfo || c.Circ != 0 || err != nil:
		r.violationLocked("%v of circuit %d when NETINFO was due (%v)", c.Cmd, c.Circ, err)
		return false
	case h.conn.fromRelay:
	case info.Time != 0:
		r.violationLocked("NETINFO of a client with time %d", info.Time)
	case len(info.Mine) != 0:
		r.violationLocked("NETINFO of a client with %d addresses of its own", len(info.Mine))
	case info.Other != self:
		r.violationLocked("NETINFO says that our address is %v, it is %v", info.Other, self)
	}
	r.conns = append(r.conns, h.conn)
	r.stats.Open++
	r.changed.Broadcast()
	return true
}

// CertsBody makes the body of a CERTS cell of any entries, allowed or not.
func CertsBody(entries []torcert.Entry) []byte {
	body := []byte{byte(len(entries))}
	for _, e := range entries {
		body = append(body, e.Type, byte(len(e.Body)>>8), byte(len(e.Body)))
		body = append(body, e.Body...)
	}
	return body
}

func addrOf(a net.Addr) netip.Addr {
	if a, ok := a.(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
