package fakepeer

import (
	"crypto/rand"
	"crypto/tls"
	"net"
	"regexp"
	"sync"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

// A Conn is a link from the client under test.
type Conn struct {
	relay *Relay
	tls   *tls.Conn

	// Set before the link is open.
	proto     uint16
	fromRelay bool // the initiator is a relay
	framing   cell.Framing
	state     tls.ConnectionState

	// The relay's mutex guards the fields below.
	circs  map[cell.CircID]*Circuit
	gone   map[cell.CircID]bool // circuits that we have closed, and the client may not know it yet
	out    []byte               // bytes for the writer
	ready  *sync.Cond           // out or ended has changed
	ended  bool                 // nothing more is to be sent
	silent bool                 // the writer holds back
}

// Proto returns the version of the link protocol that was agreed on.
func (c *Conn) Proto() uint16 { return c.proto }

// TLS returns what is known of the TLS connection.
func (c *Conn) TLS() tls.ConnectionState { return c.state }

// Send sends a cell.
func (c *Conn) Send(out cell.Cell) {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	c.sendLocked(out)
}

// SendRaw sends bytes.
func (c *Conn) SendRaw(b []byte) {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	c.out = append(c.out, b...)
	c.ready.Broadcast()
}

// Hold makes the relay gather what it sends, and Release sends all that at once.
func (c *Conn) Hold() { c.setSilent(true) }

// Release undoes Hold.
func (c *Conn) Release() { c.setSilent(false) }

func (c *Conn) setSilent(silent bool) {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	c.silent = silent
	c.ready.Broadcast()
}

// Close ends the link once all is sent: the client sees TLS's close_notify.
func (c *Conn) Close() {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	c.endLocked()
}

func (c *Conn) endLocked() {
	c.ended, c.silent = true, false
	c.ready.Broadcast()
	for _, circ := range c.circs {
		circ.endLocked()
	}
}

func (c *Conn) sendLocked(out cell.Cell) {
	c.out = must(c.framing.AppendCell(c.out, out))
	c.ready.Broadcast()
}

// hostname is the form of the server name that clients invent, as C tor does (tor_tls_new).
var hostname = regexp.MustCompile(`^www\.[a-z2-7]{4,25}\.com$`)

// serve is the life of a connection.
func (r *Relay) serve(raw net.Conn) {
	defer raw.Close()
	now := r.cfg.Now()
	cert, certs, err := r.cfg.Identity.keys.Responder(rand.Reader, r.cfg.Identity.tls.Public(), now, certLifetime)
	if err != nil {
		panic("fakepeer: " + err.Error())
	}
	t := tls.Server(raw, &tls.Config{
		Certificates:           []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: r.cfg.Identity.tls}},
		MinVersion:             tls.VersionTLS12,
		MaxVersion:             r.cfg.MaxTLS,
		SessionTicketsDisabled: !r.cfg.Tickets,
		Time:                   r.cfg.Now,
	})
	if t.Handshake() != nil {
		return // the client may well have given up
	}
	c := &Conn{
		relay: r, tls: t, state: t.ConnectionState(),
		circs: map[cell.CircID]*Circuit{}, gone: map[cell.CircID]bool{},
		ready: sync.NewCond(&r.mu),
	}
	r.mu.Lock()
	r.stats.Links++
	r.checkTLSLocked(&c.state)
	r.changed.Broadcast()
	r.mu.Unlock()

	var writer sync.WaitGroup
	in := reader{conn: t}
	if h := (handshake{conn: c, in: &in, certs: certs}); h.run() {
		writer.Go(c.write)
		c.read(&in)
	}
	c.Close()
	writer.Wait()
	t.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Closed++
	r.changed.Broadcast()
}

func (r *Relay) checkTLSLocked(s *tls.ConnectionState) {
	switch {
	case !hostname.MatchString(s.ServerName):
		r.violationLocked("TLS server name %q", s.ServerName)
	case s.DidResume:
		r.violationLocked("TLS session resumed")
	case len(s.PeerCertificates) > 0:
		r.violationLocked("TLS certificate of a client")
	case s.NegotiatedProtocol != "":
		r.violationLocked("ALPN")
	}
}

// write sends what gathers in c.out until the connection ends.
func (c *Conn) write() {
	mu := &c.relay.mu
	for {
		mu.Lock()
		for (len(c.out) == 0 || c.silent) && !c.ended {
			c.ready.Wait()
		}
		out, ended := c.out, c.ended
		c.out = nil
		mu.Unlock()
		if len(out) > 0 {
			if _, err := c.tls.Write(out); err != nil {
				return
			}
		}
		if ended {
			c.tls.CloseWrite()
			return
		}
	}
}

// read takes cells in until the connection ends.
func (c *Conn) read(in *reader) {
	for {
		next, ok := in.next(c.framing)
		if !ok {
			return
		}
		c.count(next.Cmd)
		if hook := c.relay.cfg.Hooks.Cell; hook != nil && hook(c, next) {
			continue
		}
		c.handle(next)
	}
}

func (c *Conn) count(cmd cell.Command) {
	r := c.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Cells[cmd]++
	r.changed.Broadcast()
}
