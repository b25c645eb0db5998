package link

import (
	"encoding/binary"
	"io"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

const (
	maxRecord  = 16 << 10 // plaintext of one TLS record
	batchBytes = 64 << 10 // how much the reader gathers before it hands over
)

// A Cell is a fixed-length cell inside a Batch.
type Cell struct {
	Circ cell.CircID
	Cmd  cell.Command
	Body *[cell.BodyLen]byte // aliases the reader's buffer; the handler may change it in place
}

// A Batch is the circuits' cells that one pass over the socket brought, in the order of their arrival. Padding is left
// out. It is valid for one call of Handler.Batch.
type Batch struct {
	Cells []Cell

	cells, padding int // all of them, and padding
}

// A readBuf is what a reader gathers in. It has one from the pool only while there is something to gather.
type readBuf [batchBytes + maxRecord]byte

var readBufs = sync.Pool{New: func() any { return new(readBuf) }}

// read runs the reader goroutine until the link fails.
func (l *Link) read() error {
	var (
		buf   = readBufs.Get().(*readBuf)
		end   = copy(buf[:], l.early)
		rest  [maxCellLen]byte // what is here of the next cell while there is no buffer
		skip  int              // bytes of a variable-length cell still to be dropped
		batch Batch
	)
	l.early = nil
	for first := true; ; first = false {
		var n int
		var readErr error
		if !first || end == 0 {
			n, readErr = l.conn.Read(buf[end:])
			end += n
		}
		for readErr == nil && end < batchBytes && l.conn.RecordReady() {
			n, readErr = l.conn.Read(buf[end:])
			end += n
		}
		// What came before an error is still good.
		used, err := l.parse(buf[:end], &skip, &batch)
		l.handle(&batch)
		switch {
		case err != nil:
			return err
		case readErr == io.EOF:
			return errClosedByPeer
		case readErr != nil:
			return readErr
		}
		n = copy(rest[:], buf[used:end])
		readBufs.Put(buf)
		if !first { // what TLS has read in the handshake may lie behind what the first Read gave
			readErr = l.conn.Await()
		}
		if readErr != nil {
			return readErr
		}
		buf = readBufs.Get().(*readBuf)
		end = copy(buf[:], rest[:n])
	}
}

// handle gives a batch to the handler, and empties it.
func (l *Link) handle(b *Batch) {
	if b.cells == 0 {
		return
	}
	l.registry.read.add(b.cells, b.padding, l.paddingOn())
	now := time.Now()
	l.out.shared.tick(now)
	if len(b.Cells) > 0 {
		l.heard.Store(int64(now.Sub(l.opened)))
		l.handler.Batch(b)
		clear(b.Cells)
	}
	b.Cells, b.cells, b.padding = b.Cells[:0], 0, 0
}

// parse adds the whole cells at the start of buf to batch and returns how many bytes it has used. skip carries what is
// left of a variable-length cell from call to call: no such cell matters on an open link, so none is ever gathered.
func (l *Link) parse(buf []byte, skip *int, batch *Batch) (used int, err error) {
	header := l.framing.HeaderLen()
	fixed := l.framing.FixedLen()
	for {
		if *skip > 0 {
			n := min(*skip, len(buf)-used)
			*skip -= n
			used += n
		}
		rest := buf[used:]
		if len(rest) < header+2 {
			return used, nil
		}
		cmd := cell.Command(rest[header-1])
		if cmd.IsVariable() {
			if err := checkVariable(cmd); err != nil {
				return used, err
			}
			*skip = header + 2 + int(binary.BigEndian.Uint16(rest[header:]))
			continue
		}
		if len(rest) < fixed {
			return used, nil
		}
		var id cell.CircID
		if header == 5 {
			id = cell.CircID(binary.BigEndian.Uint32(rest))
		} else {
			id = cell.CircID(binary.BigEndian.Uint16(rest))
		}
		used += fixed
		batch.cells++
		body := (*[cell.BodyLen]byte)(rest[header:])
		switch cmd {
		case cell.CmdRelay, cell.CmdRelayEarly, cell.CmdDestroy, cell.CmdCreated2, cell.CmdCreatedFast,
			cell.CmdCreate, cell.CmdCreated, cell.CmdCreateFast, cell.CmdCreate2:
			if id == 0 {
				return used, violation("%v without a circuit ID", cmd)
			}
			batch.Cells = append(batch.Cells, Cell{Circ: id, Cmd: cmd, Body: body})
		case cell.CmdPadding:
			batch.padding++
		case cell.CmdNetinfo: // C tor drops a second one too
		case cell.CmdPaddingNegotiate:
			if err := l.takeNegotiate(body[:]); err != nil {
				return used, err
			}
		default: // unknown commands are dropped: later versions of the protocol may use them
		}
	}
}

// checkVariable says whether a variable-length cell may come on an open link.
func checkVariable(cmd cell.Command) error {
	switch cmd {
	case cell.CmdCerts, cell.CmdAuthChallenge, cell.CmdAuthenticate:
		return violation("%v on an open link", cmd)
	}
	return nil // VPADDING, a second VERSIONS, AUTHORIZE, and what is not known yet
}
