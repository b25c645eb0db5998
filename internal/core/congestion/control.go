package congestion

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"time"
)

// What is wrong with a SENDME, or with the amount of data. The circuit closes with TORPROTOCOL.
var (
	ErrUnexpected = errors.New("SENDME for cells that were not sent")
	ErrTag        = errors.New("SENDME tag does not match the cell that it acknowledges")
	ErrVersion    = errors.New("SENDME version not accepted")
	ErrWindow     = errors.New("data beyond the window")
)

// The fixed windows, in DATA cells. The consensus parameter circwindow sets a circuit's, between the bounds.
// https://spec.torproject.org/tor-spec/flow-control.html
const (
	CircWindow    = 1000
	CircWindowMin = 100
	CircWindowMax = 1000
	CircIncrement = 100 // DATA cells that one SENDME acknowledges
)

// maxVersion is the newest SENDME version that we know: the one with a tag.
const maxVersion = 1

// Algorithm is the rule by which a Control grows and shrinks its window, in the numbers of the consensus parameter cc_alg.
type Algorithm uint8

const (
	Fixed Algorithm = 0 // each SENDME frees what it acknowledges, and nothing else changes
	Vegas Algorithm = 2 // the window follows the round-trip time; see [Params]
)

// Control is the sending side of one end of a circuit.
type Control struct {
	alg      Algorithm
	inc      int // DATA cells that one SENDME acknowledges
	cwnd     int // DATA cells that may be on the way
	inflight int // DATA cells that are; above cwnd after a cut
	marks    markQueue
	vegas    vegas
}

// NewFixed returns a Control of fixed windows. circWindow is the consensus parameter circwindow; a value out of its
// bounds is brought within.
func NewFixed(circWindow int) Control {
	return Control{alg: Fixed, inc: CircIncrement, cwnd: min(max(circWindow, CircWindowMin), CircWindowMax)}
}

// Algorithm returns the rule in use. With Fixed the circuit's streams have windows of their own; else they have XON and
// XOFF.
func (c *Control) Algorithm() Algorithm { return c.alg }

// CanSend returns how many DATA cells may be sent now.
func (c *Control) CanSend() int { return max(c.cwnd-c.inflight, 0) }

// Window returns how many DATA cells may be under way, and how many are.
func (c *Control) Window() (cwnd, inflight int) { return c.cwnd, c.inflight }

// OnSent counts a DATA cell that was encrypted and queued. The tag is that of the cell for SENDMEs (20 bytes for tor1, 16
// for CGO); it is borrowed. now is the time since any moment that stays the same for this Control. OnSent panics unless
// CanSend allowed the cell.
//
// C tor asks whether the window, which counts down from circwindow, is a multiple of the increment. That names the same
// cells, the last of each hundred, unless circwindow is no such multiple.
func (c *Control) OnSent(tag []byte, now time.Duration) {
	if c.CanSend() == 0 {
		panic("congestion: DATA cell sent beyond the window")
	}
	c.inflight++
	if c.inflight%c.inc == 0 {
		c.marks.push(tag, now)
	}
}

// OnSendme takes a circuit-level SENDME of the given version and tag, which is borrowed. acceptMin is the consensus
// parameter sendme_accept_min_version, or 0 at a relay for a circuit made by CREATE_FAST: C tor exempts those so that
// old clients can fetch a consensus (sendme_is_valid). blocked tells whether cells wait on this node for the link that
// DATA leaves by; only Vegas asks. An error is the end of the circuit.
func (c *Control) OnSendme(version uint8, tag []byte, acceptMin uint8, now time.Duration, blocked bool) error {
	if version < acceptMin || version > maxVersion {
		return fmt.Errorf("version %d: %w", version, ErrVersion)
	}
	want, ok := c.marks.pop() // whatever the version, so that the queue stays in step with the cells
	if !ok {
		return ErrUnexpected
	}
	// The length must be that of the hop's own tags.
	if version >= 1 && subtle.ConstantTimeCompare(want.tag(), tag) != 1 {
		return ErrTag
	}
	if c.alg == Vegas {
		c.vegas.acknowledged(c, now-want.at, blocked)
	}
	c.inflight -= c.inc
	return nil
}
