package congestion

// The window of a stream, in DATA cells.
// https://spec.torproject.org/tor-spec/flow-control.html
const (
	StreamWindowStart = 500
	StreamIncrement   = 50
)

// StreamWindow is the sending side of a stream on a circuit with fixed windows. Its SENDMEs are not authenticated.
type StreamWindow struct{ window int }

// NewStreamWindow returns the window of a new stream.
func NewStreamWindow() StreamWindow { return StreamWindow{StreamWindowStart} }

// CanSend returns how many DATA cells the stream may send now, if its circuit may.
func (w *StreamWindow) CanSend() int { return w.window }

// Take takes up to n DATA cells out of the window, and returns how many. That comes before they are sent: a SENDME for
// them may be here before the sender knows that they are gone.
func (w *StreamWindow) Take(n int) int {
	n = min(n, w.window)
	w.window -= n
	return n
}

// GiveBack returns n cells that were taken and not sent.
func (w *StreamWindow) GiveBack(n int) { w.window = min(w.window+n, StreamWindowStart) }

// OnSendme takes a stream-level SENDME. An error is the end of the circuit.
func (w *StreamWindow) OnSendme() error {
	if w.window+StreamIncrement > StreamWindowStart {
		return ErrUnexpected
	}
	w.window += StreamIncrement
	return nil
}
