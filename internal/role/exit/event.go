package exit

import "github.com/tropea-net/tropea/internal/wire/relaymsg"

// An Event is something about a stream that statistics count. Who the client or the server is, it does not tell.
type Event struct {
	Kind   EventKind
	Port   uint16             // of the server; 0 where it is not known, and of a RESOLVE
	IPv6   bool               // the server's address, of Connected and Closed
	Reason relaymsg.EndReason // of Refused

	Read, Written int64 // of Closed: bytes from the server, and bytes to it
}

// EventKind is what happened.
type EventKind uint8

// The kinds of events. Each BEGIN is refused, or connected and later closed.
const (
	Resolving EventKind = iota + 1 // RESOLVE has come
	Refused                        // BEGIN did not lead to a connection
	Connected
	Closed
)
