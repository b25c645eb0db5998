package link

import (
	"encoding/binary"
	"io"
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
}

// read runs the reader goroutine until the link fails.
func (l *Link) read() error {
	var (
		buf   = make([]byte, batchBytes+maxRecord)
		end   = copy(buf, l.early)
		skip  int // bytes of a variable-length cell still to be dropped
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
		if len(batch.Cells) > 0 {
			l.heard.Store(int64(time.Since(l.opened)))
			l.handler.Batch(&batch)
			clear(batch.Cells)
			batch.Cells = batch.Cells[:0]
		}
		switch {
		case err != nil:
			return err
		case readErr == io.EOF:
			return errClosedByPeer
		case readErr != nil:
			return readErr
		}
		end = copy(buf, buf[used:end])
	}
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
		body := (*[cell.BodyLen]byte)(rest[header:])
		switch cmd {
		case cell.CmdRelay, cell.CmdRelayEarly, cell.CmdDestroy, cell.CmdCreated2, cell.CmdCreatedFast,
			cell.CmdCreate, cell.CmdCreated, cell.CmdCreateFast, cell.CmdCreate2:
			if id == 0 {
				return used, violation("%v without a circuit ID", cmd)
			}
			batch.Cells = append(batch.Cells, Cell{Circ: id, Cmd: cmd, Body: body})
		case cell.CmdPadding, cell.CmdNetinfo: // C tor drops a second NETINFO too
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
