package congestion

// Deliver is the receiving side of one end of a circuit, or of a stream: it counts what came in, and says when to
// acknowledge.
type Deliver struct {
	start  int // where the window began
	inc    int // DATA cells that one SENDME acknowledges
	window int // DATA cells that may still come
}

// CircuitDeliver returns the receiving side of a circuit. inc is CircIncrement for fixed windows.
//
// The window begins at CircWindow whatever the consensus says, as in C tor (CIRCWINDOW_START): the other end may know an
// older consensus.
func CircuitDeliver(inc int) Deliver { return Deliver{start: CircWindow, inc: inc, window: CircWindow} }

// StreamDeliver returns the receiving side of a stream.
func StreamDeliver() Deliver {
	return Deliver{start: StreamWindowStart, inc: StreamIncrement, window: StreamWindowStart}
}

// OnReceived counts a DATA cell, and reports whether a SENDME is now due. The error is ErrWindow if the sender did not
// wait for one.
//
// A circuit's SENDME holds the tag of the cell that made it due: it is sent, and OnSendmeSent called, before the next
// cell is taken. A stream's may wait until most of the stream's data has been written out.
func (d *Deliver) OnReceived() (due bool, err error) {
	if d.window == 0 {
		return false, ErrWindow
	}
	d.window--
	return d.Due(), nil
}

// Window returns how many DATA cells may still come.
func (d *Deliver) Window() int { return d.window }

// Due reports whether a SENDME is to be sent.
func (d *Deliver) Due() bool { return d.window <= d.start-d.inc }

// OnSendmeSent counts a SENDME. It panics unless one was due.
func (d *Deliver) OnSendmeSent() {
	if !d.Due() {
		panic("congestion: SENDME sent before it was due")
	}
	d.window += d.inc
}
