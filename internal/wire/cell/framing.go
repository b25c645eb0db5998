package cell

import (
	"encoding/binary"
	"fmt"
	"math"
)

// BodyLen is the length of the body of a fixed cell, whatever the link protocol.
const BodyLen = 509

// MaxVariableLen is the longest body of a variable cell.
const MaxVariableLen = math.MaxUint16

// lengthLen is the length of the length field of a variable cell.
const lengthLen = 2

// CircID names a circuit on one link. 0 is no circuit: the cell is about the link.
type CircID uint32

// Cell is one cell, fixed or variable.
type Cell struct {
	Circ CircID
	Cmd  Command
	Body []byte
}

// Framing is how cells are laid out on a link. Its zero value is that of FramingFor(0).
type Framing struct {
	wide       bool // circuit ids are 4 bytes
	negotiated bool // VERSIONS has been exchanged
}

// FramingFor is the framing of a link protocol. Protocol 0 stands for the time before VERSIONS: circuit ids are 2 bytes,
// and only the commands that may come first are accepted.
// https://spec.torproject.org/tor-spec/negotiating-channels.html
func FramingFor(linkProto uint16) Framing {
	return Framing{wide: linkProto >= 4, negotiated: linkProto != 0}
}

// HeaderLen is the length of circuit id and command: 3 or 5.
func (f Framing) HeaderLen() int {
	if f.wide {
		return 5
	}
	return 3
}

// FixedLen is the length of a whole fixed cell: 512 or 514.
func (f Framing) FixedLen() int { return f.HeaderLen() + BodyLen }

// Next takes the first cell off buf and reports its length n. If buf ends before the cell does, n is 0. The body aliases
// buf. A buffer of HeaderLen + 2 + MaxVariableLen bytes can hold any cell.
//
// The only error is ErrBeforeVersions: "the first cell must be VERSIONS, VPADDING, or AUTHORIZE".
// https://spec.torproject.org/tor-spec/cell-packet-format.html
func (f Framing) Next(buf []byte) (c Cell, n int, err error) {
	h := f.HeaderLen()
	if len(buf) < h {
		return Cell{}, 0, nil
	}
	if f.wide {
		c.Circ = CircID(binary.BigEndian.Uint32(buf))
	} else {
		c.Circ = CircID(binary.BigEndian.Uint16(buf))
	}
	c.Cmd = Command(buf[h-1])
	if !f.negotiated && c.Cmd != CmdVersions && c.Cmd != CmdVPadding && c.Cmd != CmdAuthorize {
		return Cell{}, 0, fmt.Errorf("%v: %w", c.Cmd, ErrBeforeVersions)
	}
	start, end := h, h+BodyLen
	if c.Cmd.IsVariable() {
		start = h + lengthLen
		if len(buf) < start {
			return Cell{}, 0, nil
		}
		end = start + int(binary.BigEndian.Uint16(buf[h:]))
	}
	if len(buf) < end {
		return Cell{}, 0, nil
	}
	c.Body = buf[start:end:end]
	return c, end, nil
}

// PutHeader writes circuit id and command to the start of dst, which has room for HeaderLen bytes. It panics if the id
// does not fit the link protocol, since ids are chosen to fit.
func (f Framing) PutHeader(dst []byte, id CircID, cmd Command) {
	switch {
	case f.wide:
		binary.BigEndian.PutUint32(dst, uint32(id))
	case id <= math.MaxUint16:
		binary.BigEndian.PutUint16(dst, uint16(id))
	default:
		panic(fmt.Sprintf("cell: circuit id %d on a link with 2-byte ids", id))
	}
	dst[f.HeaderLen()-1] = byte(cmd)
}

// AppendCell appends c to dst. A fixed cell is padded with zeros; c.Body may be shorter, and is too long above BodyLen.
func (f Framing) AppendCell(dst []byte, c Cell) ([]byte, error) {
	if !f.wide && c.Circ > math.MaxUint16 {
		return nil, fmt.Errorf("%v circuit id: %w", c.Cmd, ErrTooLong)
	}
	room := BodyLen
	if c.Cmd.IsVariable() {
		room = MaxVariableLen
	}
	if len(c.Body) > room {
		return nil, fmt.Errorf("%v body: %w", c.Cmd, ErrTooLong)
	}
	var header [5]byte
	f.PutHeader(header[:], c.Circ, c.Cmd)
	dst = append(dst, header[:f.HeaderLen()]...)
	if c.Cmd.IsVariable() {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(c.Body)))
		return append(dst, c.Body...), nil
	}
	var zeros [BodyLen]byte
	dst = append(dst, c.Body...)
	return append(dst, zeros[len(c.Body):]...), nil
}
