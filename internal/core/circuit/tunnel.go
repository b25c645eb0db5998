package circuit

import (
	"sync"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A Tunnel is what streams belong to: one or more circuits, its legs, that end at the same relay. Cells are decrypted,
// counted and acknowledged leg by leg, and then delivered here in order. There is one leg until conflux is built.
type Tunnel struct {
	legs []*Circuit // fixed before the tunnel is used

	mu       sync.Mutex // guards the fields below
	mux      stream.Mux
	incoming func(stream.Incoming) // takes streams that the other end opens; nil unless it may
}

func newTunnel(leg *Circuit) *Tunnel {
	t := &Tunnel{legs: []*Circuit{leg}}
	t.mux.Init(t, &t.mu)
	t.mux.SetMemoryLocked(leg.link.StreamMemory())
	return t
}

// setFlow makes the streams from now on use XON and XOFF, as they must where the circuit has congestion control; nil ends that.
func (t *Tunnel) setFlow(f *stream.Flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mux.SetFlowLocked(f)
}

// leg returns the circuit that the next message goes over.
func (t *Tunnel) leg() *Circuit { return t.legs[0] }

// SendMsg implements stream.Sender.
func (t *Tunnel) SendMsg(m relaymsg.Msg) error { return t.leg().sendMsg(m) }

// SendData implements stream.Sender.
func (t *Tunnel) SendData(id uint16, p []byte) (n, cells int, err error) {
	return t.leg().sendData(id, p)
}

// MaxData implements stream.Sender.
func (t *Tunnel) MaxData() int { return relaymsg.V0.MaxBody(relaymsg.CmdData) }

// MaxCells implements stream.Sender.
func (t *Tunnel) MaxCells() int { return link.ChunkCells }

// Streams returns the number of open streams.
func (t *Tunnel) Streams() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mux.CountLocked()
}

// Connect opens a stream to what begin names, at the last relay. It does not wait for the relay's answer: [stream.Stream]
// has Wait for that, and takes data before.
//
// https://spec.torproject.org/tor-spec/opening-streams.html
func (t *Tunnel) Connect(begin relaymsg.Begin) (*stream.Stream, error) {
	return t.connect(begin, t.SendMsg)
}

// Prepare is Connect for callers who go on to write: the relay is told of the stream together with that. C tor's relays, which
// have no TCP_NODELAY, hold a cell back for up to 40 ms on each link if it comes right after another.
func (t *Tunnel) Prepare(begin relaymsg.Begin) (*stream.Stream, error) {
	return t.connect(begin, t.leg().seal)
}

func (t *Tunnel) connect(begin relaymsg.Begin, send func(relaymsg.Msg) error) (*stream.Stream, error) {
	body, err := begin.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	t.leg().link.AddUsage(link.UsageStreams)
	return t.open(stream.Connect, begin.Addr, relaymsg.CmdBegin, body, send)
}

// ConnectDir opens a stream to the directory cache of the last relay.
func (t *Tunnel) ConnectDir() (*stream.Stream, error) {
	return t.open(stream.Connect, "directory", relaymsg.CmdBeginDir, nil, t.SendMsg)
}

// PrepareDir is ConnectDir for callers who go on to write, as Prepare.
func (t *Tunnel) PrepareDir() (*stream.Stream, error) {
	return t.open(stream.Connect, "directory", relaymsg.CmdBeginDir, nil, t.leg().seal)
}

// Resolve asks the last relay for the addresses of a name, or the names of an address in in-addr.arpa form. The answers
// come from [stream.Stream.Answers].
func (t *Tunnel) Resolve(name string) (*stream.Stream, error) {
	body, err := relaymsg.Resolve{Name: name}.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	t.leg().link.AddUsage(link.UsageStreams)
	return t.open(stream.Resolve, name, relaymsg.CmdResolve, body, t.SendMsg)
}

func (t *Tunnel) open(kind stream.Kind, addr string, cmd relaymsg.Command, body []byte, send func(relaymsg.Msg) error) (*stream.Stream, error) {
	t.mu.Lock()
	s, err := t.mux.OpenLocked(kind, addr)
	t.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := send(relaymsg.Msg{Cmd: cmd, Stream: s.ID(), Body: body}); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// deliver hands the messages that rx holds to the streams, and new streams to whoever takes them.
func (t *Tunnel) deliver(rx *receiver) error {
	incoming, take, err := t.sortOut(rx)
	stream.Flush(rx.ready)
	for _, s := range incoming {
		take(s)
	}
	return err
}

func (t *Tunnel) sortOut(rx *receiver) (incoming []stream.Incoming, take func(stream.Incoming), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rx.ready, err = t.mux.DeliverLocked(rx.msgs, rx.ready)
	return t.mux.TakeIncomingLocked(), t.incoming, err
}

// wake tells the streams that a window has opened.
func (t *Tunnel) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mux.WakeLocked()
}

// close ends all streams.
func (t *Tunnel) close(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mux.CloseLocked(err)
}
