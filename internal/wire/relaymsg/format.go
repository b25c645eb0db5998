package relaymsg

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

// Format is the format of the relay cells of a hop.
// https://spec.torproject.org/tor-spec/relay-cells.html
type Format uint8

// The formats. CGO hops use V1, all others V0.
const (
	V0 Format = iota
	V1
)

// Offsets in a relay cell. Format V0 has recognized at 1 and the digest at 5, V1 the tag at 0.
const (
	v0Command    = 0
	v0Recognized = 1
	v0Stream     = 3
	v0Digest     = 5
	v0Length     = 9
	v0Body       = 11

	v1Command    = 16
	v1Length     = 17
	v1Stream     = 19 // or the body, without a stream id
	v1StreamBody = 21
)

// zeroPad is how many of the bytes after a message are zero; random ones follow. "Implementations SHOULD fill this field
// with four zero-valued bytes, followed by as many random bytes as will fit."
// https://spec.torproject.org/tor-spec/relay-cells.html
const zeroPad = 4

// Bounds on bodies that do not depend on the command.
const (
	MaxBody   = cell.BodyLen - v0Body   // 498: the longest body in any format
	MaxHSBody = cell.BodyLen - v1Stream // 490: the longest body that a message about a circuit may have in every format
)

// Msg is one relay message.
type Msg struct {
	Cmd    Command
	Stream uint16 // 0 if the message is about the circuit
	Body   []byte
}

// BodyOffset is where the body of a message begins in a relay cell.
func (f Format) BodyOffset(cmd Command) int {
	switch {
	case f == V0:
		return v0Body
	case cmd.HasStream():
		return v1StreamBody
	}
	return v1Stream
}

// MaxBody is the length of the longest body that fits: 498 in V0, 488 or 490 in V1.
func (f Format) MaxBody(cmd Command) int { return cell.BodyLen - f.BodyOffset(cmd) }

// Command returns the command of the message in a decrypted relay cell.
func (f Format) Command(body *[cell.BodyLen]byte) Command {
	if f == V0 {
		return Command(body[v0Command])
	}
	return Command(body[v1Command])
}

// Decode reads the message in a decrypted relay cell. Its body aliases the cell. Padding is not looked at, nor are the
// fields of relaycrypt.
//
// An error means that the circuit must be closed. In format V0 unknown commands, and stream ids that do not suit the
// command, are not errors: such messages are dropped.
func (f Format) Decode(body *[cell.BodyLen]byte) (Msg, error) {
	if f == V0 {
		m := Msg{Cmd: f.Command(body), Stream: binary.BigEndian.Uint16(body[v0Stream:])}
		return m.cut(body, v0Body, binary.BigEndian.Uint16(body[v0Length:]))
	}
	m := Msg{Cmd: f.Command(body)}
	if !m.Cmd.Known() {
		return Msg{}, fmt.Errorf("%v: %w", m.Cmd, ErrUnknownCommand)
	}
	length := binary.BigEndian.Uint16(body[v1Length:])
	if !m.Cmd.HasStream() {
		return m.cut(body, v1Stream, length)
	}
	if m.Stream = binary.BigEndian.Uint16(body[v1Stream:]); m.Stream == 0 {
		return Msg{}, fmt.Errorf("%v without a stream: %w", m.Cmd, ErrStreamID)
	}
	return m.cut(body, v1StreamBody, length)
}

// cut completes m with the length bytes at an offset of a relay cell.
func (m Msg) cut(body *[cell.BodyLen]byte, offset int, length uint16) (Msg, error) {
	end := offset + int(length)
	if end > len(body) {
		return Msg{}, fmt.Errorf("%v of %d bytes: %w", m.Cmd, length, ErrTooLong)
	}
	if m.Cmd.obsolete() {
		return Msg{}, fmt.Errorf("%v: %w", m.Cmd, ErrObsolete)
	}
	m.Body = body[offset:end:end]
	return m, nil
}

// Encode writes m as a relay cell to dst, whole: recognized and digest, or the tag, are zero, and padding comes from pad.
// It borrows m.Body, which may lie in dst; if it lies at BodyOffset, nothing is copied.
func (f Format) Encode(dst *[cell.BodyLen]byte, m Msg, pad *rand.ChaCha8) error {
	if err := f.check(m); err != nil {
		return err
	}
	offset := f.BodyOffset(m.Cmd)
	end := offset + len(m.Body)
	// The body goes first, since the other fields may overwrite it where it lies.
	if len(m.Body) > 0 && &m.Body[0] != &dst[offset] {
		copy(dst[offset:], m.Body)
	}
	if f == V0 {
		dst[v0Command] = byte(m.Cmd)
		clear(dst[v0Recognized:v0Stream])
		binary.BigEndian.PutUint16(dst[v0Stream:], m.Stream)
		clear(dst[v0Digest:v0Length])
		binary.BigEndian.PutUint16(dst[v0Length:], uint16(len(m.Body)))
	} else {
		clear(dst[:v1Command])
		dst[v1Command] = byte(m.Cmd)
		binary.BigEndian.PutUint16(dst[v1Length:], uint16(len(m.Body)))
		if offset == v1StreamBody {
			binary.BigEndian.PutUint16(dst[v1Stream:], m.Stream)
		}
	}
	random := min(end+zeroPad, len(dst))
	clear(dst[end:random])
	pad.Read(dst[random:]) // never fails
	return nil
}

// check tells whether m may be sent. To get this wrong is a bug of ours, which must not reach the network.
func (f Format) check(m Msg) error {
	switch {
	case !m.Cmd.Known():
		return fmt.Errorf("%v: %w", m.Cmd, ErrUnknownCommand)
	case m.Cmd.obsolete():
		return fmt.Errorf("%v: %w", m.Cmd, ErrObsolete)
	case m.Cmd == CmdSendme && f == V0:
		// The one command with an id or without.
	case m.Cmd.HasStream() != (m.Stream != 0):
		return fmt.Errorf("%v on stream %d: %w", m.Cmd, m.Stream, ErrStreamID)
	}
	if len(m.Body) > f.MaxBody(m.Cmd) {
		return fmt.Errorf("%v of %d bytes: %w", m.Cmd, len(m.Body), ErrTooLong)
	}
	return nil
}
