// Package nameserver answers the questions of exits in a private network.
package nameserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	answerTTL  = 60      // seconds
	maxCounted = 100_000 // names whose questions are counted
)

// A Server is a DNS server on a UDP port. It answers A, AAAA and PTR questions for the names it was given
// and denies all others. Its methods are safe for concurrent use.
type Server struct {
	conn net.PacketConn
	done chan struct{} // closed when serve has returned

	mu      sync.Mutex // guards the fields below
	addrs   map[string][]netip.Addr
	names   map[string]string // of PTR questions: the reverse name of an address -> name
	queries map[string]int
}

// New starts a server on loopback that knows no name.
func New() (*Server, error) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("name server: %w", err)
	}
	return On(conn), nil
}

// On starts a server on conn, which it closes at its end.
func On(conn net.PacketConn) *Server {
	r := &Server{
		conn: conn, done: make(chan struct{}),
		addrs: map[string][]netip.Addr{}, names: map[string]string{}, queries: map[string]int{},
	}
	go r.serve()
	return r
}

// Addr is the server's address, host:port.
func (r *Server) Addr() string { return r.conn.LocalAddr().String() }

// Close ends the server.
func (r *Server) Close() error {
	err := r.conn.Close()
	<-r.done
	return err
}

// canonical makes names comparable: tor writes them in random case to make answers harder to forge.
func canonical(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") + "." }

// Set gives a name its addresses, and each address its name. A name without addresses exists and has none.
func (r *Server) Set(name string, addrs ...netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name = canonical(name)
	r.addrs[name] = addrs
	for _, a := range addrs {
		r.names[reverseName(a)] = name
	}
}

// Queries is how many questions of any type were asked about a name. A PTR question asks about its in-addr.arpa or
// ip6.arpa name.
func (r *Server) Queries(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queries[canonical(name)]
}

// Conf is a resolv.conf that leads to the server. The port is an extension of libevent.
func (r *Server) Conf() []byte { return []byte("nameserver " + r.Addr() + "\n") }

// reverseName is the name under which DNS has an address.
func reverseName(a netip.Addr) string {
	var b strings.Builder
	raw := a.AsSlice()
	for i := range raw {
		octet := raw[len(raw)-1-i]
		if a.Is4() {
			fmt.Fprintf(&b, "%d.", octet)
		} else {
			fmt.Fprintf(&b, "%x.%x.", octet&0xf, octet>>4)
		}
	}
	if a.Is4() {
		return b.String() + "in-addr.arpa."
	}
	return b.String() + "ip6.arpa."
}

func (r *Server) serve() {
	defer close(r.done)
	buf := make([]byte, 64<<10)
	for {
		n, from, err := r.conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // such as an ICMP error about an answer to a client that is gone
		}
		if reply, err := r.answer(buf[:n]); err == nil {
			r.conn.WriteTo(reply, from)
		}
	}
}

// answer makes the reply to a query. A query out of form gets none.
// https://www.rfc-editor.org/rfc/rfc1035#section-4
func (r *Server) answer(query []byte) ([]byte, error) {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil {
		return nil, err
	}
	q, err := p.Question()
	if err != nil {
		return nil, err
	}
	if h.Response {
		return nil, errors.New("not a query")
	}
	known, resources := r.lookup(q)
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: h.ID, Response: true, Authoritative: true, RecursionDesired: h.RecursionDesired, RecursionAvailable: true,
		},
		Questions: []dnsmessage.Question{q}, // in the case in which it was asked, which tor checks
	}
	if !known {
		reply.RCode = dnsmessage.RCodeNameError
	}
	for _, body := range resources {
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: answerTTL}
		reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: body})
	}
	return reply.Pack()
}

// lookup counts a question and answers it. A name may be known and have nothing of the type that was asked for.
func (r *Server) lookup(q dnsmessage.Question) (known bool, bodies []dnsmessage.ResourceBody) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := canonical(q.Name.String())
	if len(r.queries) < maxCounted {
		r.queries[name]++
	}
	if target, ok := r.names[name]; ok && q.Type == dnsmessage.TypePTR {
		if n, err := dnsmessage.NewName(target); err == nil {
			return true, []dnsmessage.ResourceBody{&dnsmessage.PTRResource{PTR: n}}
		}
	}
	addrs, known := r.addrs[name]
	for _, a := range addrs {
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			bodies = append(bodies, &dnsmessage.AResource{A: a.As4()})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			bodies = append(bodies, &dnsmessage.AAAAResource{AAAA: a.As16()})
		}
	}
	return known, bodies
}
