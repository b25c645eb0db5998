package link

import (
	"bytes"

	"net"
	"slices"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

// FuzzRead gives the reader any bytes in any pieces, and compares with cells cut one by one.
func FuzzRead(f *testing.F) {
	add := func(wide bool, piece uint16, cells ...cell.Cell) {
		proto := uint16(3)
		if wide {
			proto = 5
		}
		var b []byte
		for _, c := range cells {
			var err error
			if b, err = cell.FramingFor(proto).AppendCell(b, c); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(wide, piece, b)
	}
	relay := cell.Cell{Circ: 7, Cmd: cell.CmdRelay, Body: []byte{1, 2, 3}}
	for _, piece := range []uint16{1, 16384} {
		add(true, piece, relay, relay, cell.Cell{Cmd: cell.CmdVPadding, Body: make([]byte, 1000)}, relay)
		add(false, piece, cell.Cell{Cmd: cell.CmdPadding}, relay, cell.Cell{Cmd: 200}, relay)
	}
	add(true, 700, relay, cell.Cell{Cmd: cell.CmdCerts, Body: make([]byte, 9000)}, relay)
	add(true, 700, relay, cell.Cell{Cmd: cell.CmdRelay}, relay)
	f.Fuzz(func(t *testing.T, wide bool, piece uint16, in []byte) {
		proto := uint16(3)
		if wide {
			proto = 5
		}
		in = in[:min(len(in), 4*batchBytes)]
		want, bad := expect(cell.FramingFor(proto), in)
		h := &collector{}
		l := bareLink(cell.FramingFor(proto), newPieces(in, int(piece)))
		l.handler = h
		err := l.read()
		if !slices.Equal(h.cells, want) {
			t.Errorf("%d cells, want %d", len(h.cells), len(want))
		}
		if _, violated := err.(*ProtocolError); violated != bad {
			t.Errorf("the link ended with %v", err)
		}
	})
}

// expect returns what the handler should get of the bytes, and whether they break the protocol.
func expect(f cell.Framing, in []byte) (cells []collected, bad bool) {
	h := f.HeaderLen()
	for {
		if len(in) >= h+2 {
			switch cell.Command(in[h-1]) { // these are offences before their bodies have come
			case cell.CmdCerts, cell.CmdAuthChallenge, cell.CmdAuthenticate:
				return cells, true
			}
		}
		c, n, err := f.Next(in)
		if err != nil || n == 0 {
			return cells, false
		}
		in = in[n:]
		switch c.Cmd {
		case cell.CmdRelay, cell.CmdRelayEarly, cell.CmdDestroy, cell.CmdCreated2, cell.CmdCreatedFast,
			cell.CmdCreate, cell.CmdCreated, cell.CmdCreateFast, cell.CmdCreate2:
			if c.Circ == 0 {
				return cells, true
			}
			cells = append(cells, collected{c.Circ, c.Cmd, [cell.BodyLen]byte(c.Body)})
		case cell.CmdPaddingNegotiate:
			return cells, true
		}
	}
}

type collected struct {
	circ cell.CircID
	cmd  cell.Command
	body [cell.BodyLen]byte
}

type collector struct{ cells []collected }

func (h *collector) Batch(b *Batch) {
	for _, c := range b.Cells {
		h.cells = append(h.cells, collected{c.Circ, c.Cmd, *c.Body})
	}
}

func (h *collector) Closed(error) {}

// pieces is a SecureConn that serves bytes in pieces of one size.
type pieces struct {
	net.Conn
	in   *bytes.Reader
	size int
	out  int // bytes written
}

func newPieces(in []byte, size int) *pieces {
	return &pieces{in: bytes.NewReader(in), size: max(1, min(size, maxRecord))}
}

func (p *pieces) Read(b []byte) (int, error)  { return p.in.Read(b[:min(len(b), p.size)]) }
func (p *pieces) Write(b []byte) (int, error) { p.out += len(b); return len(b), nil }
func (p *pieces) RemoteAddr() net.Addr        { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9001} }
func (p *pieces) Certificate() []byte         { return []byte("no certificate") }
func (p *pieces) RecordReady() bool           { return p.in.Len() > 0 }
func (p *pieces) Cork()                       {}
func (p *pieces) Flush() error                { return nil }
func (p *pieces) SetDeadline(time.Time) error { return nil }
func (p *pieces) ExportKeyingMaterial(string, []byte, int) ([]byte, error) {
	return make([]byte, 32), nil
}
func (p *pieces) Close() error { return nil }
func (p *pieces) Await() error { return nil }

// bareLink returns a link of no registry, whose goroutines do not run.
func bareLink(f cell.Framing, conn SecureConn) *Link {
	r := new(Registry)
	l := &Link{
		registry: r, framing: f, conn: conn, out: newTestQueue(f), opened: time.Now(), closing: make(chan struct{}),
		meter: newMeter(conn, &r.rates, Relayed),
	}
	l.padding.Store(new(PaddingPolicy))
	return l
}

// FuzzHandshake gives the handshake any bytes after VERSIONS. None can succeed, since none can prove who they are.
func FuzzHandshake(f *testing.F) {
	versions := []byte{0, 0, 7, 0, 2, 0, 5}
	f.Add(uint16(16384), []byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Add(uint16(1), append(slices.Clone(versions), 0, 0, 0, 0, 129, 0, 4, 1, 4, 0, 0))
	f.Add(uint16(7), append(slices.Clone(versions), make([]byte, 514)...))
	f.Add(uint16(600), append(slices.Clone(versions), slices.Repeat([]byte{0, 0, 0, 0, 128, 0, 0}, 100)...))
	f.Fuzz(func(t *testing.T, piece uint16, in []byte) {
		conn := newPieces(in, int(piece))
		h := initiator{shake: newShake(conn, time.Now), want: Target{HasRSA: true}}
		err := h.run()
		if err == nil {
			t.Fatal("the link is open")
		}
		if h.read > maxHandshake+handshakeRead || conn.out > 512 {
			t.Errorf("read %d bytes, wrote %d", h.read, conn.out)
		}
		if conn.in.Len() == 0 && h.read == len(in) {
			return // it may have ended because there was no more
		}
		if _, ok := err.(*ProtocolError); !ok {
			t.Errorf("error %v with %d bytes unread", err, conn.in.Len())
		}
	})
}

// BenchmarkRead measures the reader's own work, without TLS and circuits.
func BenchmarkRead(b *testing.B) {
	f := cell.FramingFor(5)
	var in []byte
	for len(in) < 1<<20 {
		in, _ = f.AppendCell(in, cell.Cell{Circ: 7, Cmd: cell.CmdRelay})
	}
	l := bareLink(f, newPieces(nil, 1))
	l.handler = nothing{}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		l.conn = newPieces(in, maxRecord)
		if err := l.read(); err != errClosedByPeer {
			b.Fatal(err)
		}
	}
}

type nothing struct{}

func (nothing) Batch(*Batch) {}
func (nothing) Closed(error) {}
