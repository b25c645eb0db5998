// Package exit serves the streams that leave the network at this relay: it connects to where BEGIN says, looks up what
// RESOLVE asks for, and carries bytes both ways.
//
//	Stream ─► refused at once (limits, policy of the port, who asks)
//	       └► goroutine: names ─► addresses ─► policy, no relay ─► dial ─► CONNECTED ─► both directions until END
//
// Of the two goroutines that an open stream has, one is idle: the reader of the circuit's link writes to the socket itself
// while that takes all ([stream.Stream.WriteTo]). The other waits for the socket, and holds no buffer meanwhile.
//
// Whatever the addresses come from, they are judged by the policy after they are known; the reject rules for private
// networks and for the relay's own addresses are part of it (package exitpolicy). The one lifetime that clients are told of
// names is C tor's, since any other would tell what is in the cache.
//
// https://spec.torproject.org/tor-spec/opening-streams.html
// https://spec.torproject.org/tor-spec/remote-hostname-lookup.html
package exit
