// Package relaymsg has the messages that travel inside relay cells, as bytes and values.
//
// A relay cell is what is left of a RELAY or RELAY_EARLY cell when all layers of encryption are off. It has one of two
// formats, fixed for each hop of a circuit by its encryption; both hold one message:
//
//	V0  command 1 | recognized 2 | stream 2 | digest 4 | length 2 | body, up to 498
//	V1  tag 16 | command 1 | length 2 | stream 2 | body, up to 488     messages of streams
//	V1  tag 16 | command 1 | length 2 | body, up to 490                all others
//
// Recognized, digest and tag belong to package relaycrypt. Format decodes and encodes the rest; it runs for every cell
// and allocates nothing.
//
// Each message is a struct with a parser and AppendTo, which work on the body alone. Parsers ignore what follows the
// last field, unless they say otherwise, since a later version may use it. Slices in a message alias the body that it was
// parsed from. Some messages need no struct: the body of DATA is the data, and the bodies of BEGIN_DIR, DROP,
// CONFLUX_LINKED_ACK and RENDEZVOUS_ESTABLISHED are empty and not read.
//
// EXTEND and EXTENDED, the messages of the TAP handshake, are known by number and refused.
//
// https://spec.torproject.org/tor-spec/relay-cells.html
package relaymsg
