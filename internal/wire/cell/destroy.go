package cell

import "strconv"

// DestroyReason says why a circuit was closed, in DESTROY and TRUNCATED.
// https://spec.torproject.org/tor-spec/tearing-down-circuits.html
type DestroyReason uint8

// The reasons of the specification.
const (
	DestroyNone          DestroyReason = 0
	DestroyProtocol      DestroyReason = 1
	DestroyInternal      DestroyReason = 2
	DestroyRequested     DestroyReason = 3
	DestroyHibernating   DestroyReason = 4
	DestroyResourceLimit DestroyReason = 5
	DestroyConnectFailed DestroyReason = 6
	DestroyORIdentity    DestroyReason = 7
	DestroyChannelClosed DestroyReason = 8
	DestroyFinished      DestroyReason = 9
	DestroyTimeout       DestroyReason = 10
	DestroyDestroyed     DestroyReason = 11
	DestroyNoSuchService DestroyReason = 12
)

var destroyNames = [...]string{
	DestroyNone:          "NONE",
	DestroyProtocol:      "PROTOCOL",
	DestroyInternal:      "INTERNAL",
	DestroyRequested:     "REQUESTED",
	DestroyHibernating:   "HIBERNATING",
	DestroyResourceLimit: "RESOURCELIMIT",
	DestroyConnectFailed: "CONNECTFAILED",
	DestroyORIdentity:    "OR_IDENTITY",
	DestroyChannelClosed: "CHANNEL_CLOSED",
	DestroyFinished:      "FINISHED",
	DestroyTimeout:       "TIMEOUT",
	DestroyDestroyed:     "DESTROYED",
	DestroyNoSuchService: "NOSUCHSERVICE",
}

// String is the name in the specification, or "reason 77".
func (r DestroyReason) String() string {
	if int(r) < len(destroyNames) {
		return destroyNames[r]
	}
	return "reason " + strconv.Itoa(int(r))
}

// Destroy closes a circuit.
//
//	reason 1
//
// https://spec.torproject.org/tor-spec/tearing-down-circuits.html
type Destroy struct {
	Reason DestroyReason
}

// ParseDestroy parses the body of a DESTROY cell. An empty body gives no reason; there is no body that is wrong.
func ParseDestroy(body []byte) (m Destroy, err error) {
	if len(body) > 0 {
		m.Reason = DestroyReason(body[0])
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m Destroy) AppendTo(dst []byte) ([]byte, error) { return append(dst, byte(m.Reason)), nil }
