// Package link keeps the TLS connections between this node and other relays, and moves cells over them.
//
// The specification calls such a connection a channel; we say link, since Go has channels of its own.
//
// A [Link] has one reader goroutine and one writer goroutine. The reader takes as many whole cells as one pass over the
// socket gave, and hands them to the link's [Handler] as one [Batch]: one interface call a batch, none a cell. The
// writer owns the socket's other direction: it seals and writes whatever [Chunk] values have gathered in the link's
// [OutQueue] since it last looked, so a busy link makes large writes without any timer.
//
// A [Registry] finds a link to a relay that can be shared, or makes one.
//
// https://spec.torproject.org/tor-spec/channels.html
package link
