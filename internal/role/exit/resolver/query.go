package resolver

import (
	"bytes"
	crand "crypto/rand"
	"encoding/binary"

	"github.com/miekg/dns"
)

const headerLen = 12 // of a message of the DNS

// A query is one message to a server. Every message has an ID, a port and a case of its own, so that who does not see it
// cannot make up an answer.
type query struct {
	question
	wire []byte // the message, which ends with the question
}

// newQuery makes a query. It asks for recursion, and uses no extension, as C tor does not.
func newQuery(q question, randomCase bool) (query, error) {
	var m dns.Msg
	m.SetQuestion(q.name, q.qtype)
	var id [2]byte
	crand.Read(id[:])
	m.Id = binary.BigEndian.Uint16(id[:])
	wire, err := m.Pack()
	if err != nil {
		return query{}, err
	}
	if randomCase {
		randomizeCase(wire[headerLen : len(wire)-4])
	}
	return query{q, wire}, nil
}

// randomizeCase changes the case of letters of a name on the wire at random. The lengths of labels are below 64, so that
// no length is taken for a letter.
//
// https://datatracker.ietf.org/doc/html/draft-vixie-dnsext-dns0x20-00
func randomizeCase(name []byte) {
	flips := make([]byte, len(name))
	crand.Read(flips)
	for i, c := range name {
		if 'a' <= c && c <= 'z' {
			name[i] = c ^ flips[i]&0x20
		}
	}
}

// An echo says how much of a query a message repeats.
type echo uint8

const (
	echoNone  echo = iota // it is no answer to the query
	echoCase              // it would be, but for the case of letters
	echoError             // the right ID, no question, and an error: some servers send that
	echoFull
)

// echo compares a message with the query. It looks at nothing behind the question.
func (q *query) echo(msg []byte) echo {
	// QR must be set and the operation be a standard query.
	if len(msg) < headerLen || !bytes.Equal(msg[:2], q.wire[:2]) || msg[2]&0xf8 != 0x80 {
		return echoNone
	}
	rcode := int(msg[3] & 0x0f)
	if len(msg) == headerLen && rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError {
		return echoError
	}
	if len(msg) < len(q.wire) || binary.BigEndian.Uint16(msg[4:]) != 1 {
		return echoNone
	}
	got, want := msg[headerLen:len(q.wire)], q.wire[headerLen:]
	switch {
	case bytes.Equal(got, want):
		return echoFull
	case bytes.EqualFold(got, want):
		return echoCase
	}
	return echoNone
}
