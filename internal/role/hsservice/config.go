package hsservice

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A Network leads to relays. Its methods are safe for concurrent use.
type Network interface {
	// View returns nil while there is not enough to build circuits from.
	View() *netdir.View
	// Changed returns a channel that is closed when View would answer differently.
	Changed() <-chan struct{}
	// Circuit builds a circuit that ends at h, for the caller alone.
	Circuit(ctx context.Context, h circuit.Hop, way Way) (Circuit, error)
	// Publish uploads a descriptor to a directory. An error says that it has not taken it.
	Publish(ctx context.Context, dir *netdir.Relay, descriptor []byte) error
	// Check goes to a service as a client does, and returns what keeps it from getting there.
	Check(ctx context.Context, a onionaddr.Address) error
}

// Way is how a circuit leads to its end.
type Way uint8

// The ways.
const (
	ToGiven Way = iota // hidden from an end that somebody else has chosen
	ToOwn              // hidden from an end that we have chosen
	Direct             // without any other hop
)

// A Circuit is what a service needs of one. *circuit.Circuit is one.
type Circuit interface {
	OnMessage(func(relaymsg.Msg) error)
	Send(relaymsg.Msg) error
	KH() [20]byte
	AppendVirtualHop(circuit.VirtualHop) error
	Done() <-chan struct{}
	Err() error
	Close()
}

// A Handler takes the streams that clients open. Its methods are safe for concurrent use.
type Handler interface {
	// Listens tells whether the service has a port.
	Listens(port uint16) bool
	// Serve answers a stream: it accepts or refuses it. The stream is over when it returns, unless it has accepted it and given
	// it to somebody else. ctx ends with the service.
	Serve(ctx context.Context, s Stream)
}

// A Stream is one that a client has opened, and nobody has answered yet.
type Stream struct {
	*stream.Stream
	Port    uint16 // of the service
	Circuit uint32 // tells the streams of one circuit from others; it says nothing about the client
}

// Config is what a Service needs.
type Config struct {
	Env    env.Env
	Net    Network
	Select *pathsel.Selector // chooses introduction points
	Rand   *rand.Rand        // for choices; the service alone uses it
	Events *event.Bus        // gets Event values; may be nil
	Key    *keyfile.EdSecret // the service's identity
	Direct bool              // one hop to all relays: nobody can find the clients, anybody the service

	// Linger lets streams go on when the service ends, until they or their circuits are over.
	Linger bool
	// AllowInternal lets rendezvous points have addresses that mean something on private networks only.
	AllowInternal bool
	// TestNetwork says that time periods are those of a test network (TestingTorNetwork).
	TestNetwork bool

	Settings
}

// Settings are the part of a Config that may change while the service runs.
type Settings struct {
	Handler      Handler
	Clients      [][32]byte          // X25519 keys of those that may use the service; everybody if empty
	Points       int                 // introduction points; 3 if zero
	IntroLimits  circext.IntroDoS    // what introduction points are to let through; the consensus decides if zero
	PoW          *PoW                // nil: no proof of work is asked for
	Frontends    []onionaddr.Address // services whose clients come here, sent by onionbalance
	Unpublished  bool                // descriptors stay here (PublishHidServDescriptors 0)
	MaxStreams   int                 // that one circuit may have at a time; no limit if zero
	CloseAtMax   bool                // one more closes the circuit, rather than being refused
	UnknownPorts bool                // a stream to a port that the service does not have is refused, rather than closing the circuit
}

// PoW says how fast the queue is served that clients are in, by the effort of their proofs of work.
type PoW struct {
	Rate, Burst int // rendezvous a second, and at once; no limit if Rate is zero
}

// MaxPoints is how many introduction points a service may have.
const MaxPoints = 20

const defaultPoints = 3

func (s *Settings) points() int {
	if s.Points == 0 {
		return defaultPoints
	}
	return min(s.Points, MaxPoints)
}

// Bounds of what clients can make the service do.
const (
	workers       = 2
	maxWaiting    = 1024    // INTRODUCE2 messages that wait for a worker: half a megabyte. More are dropped, and counted
	maxOvertime   = 1 << 14 // introductions by an introduction point that is to be replaced: it remembers all, and another may not come
	maxMeetings   = 256     // rendezvous that are being built at a time; others wait in the queue
	maxStreams    = 1 << 14
	establishTime = time.Minute      // for an introduction point to be there
	meetTime      = 30 * time.Second // for a client to be met, whatever has to be tried again
	publishTime   = time.Minute
	maxPublishing = 8 // uploads at a time
)

// Event tells of a service.
type Event struct {
	Service onionaddr.Address
	Kind    EventKind
	Dir     *netdir.Relay // of Uploaded and UploadFailed
	Err     error         // of UploadFailed
}

// EventKind is what happened.
type EventKind uint8

// The kinds of events.
const (
	Reachable    EventKind = iota + 1 // clients can find the service and introduce themselves
	Unreachable                       // they cannot
	Uploaded                          // a directory has taken a descriptor
	UploadFailed                      // or not
	Introduced                        // a client has asked to be met
	Met                               // and was
)
