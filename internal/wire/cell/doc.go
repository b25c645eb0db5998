// Package cell has the cells of link protocols 3 to 5 and the messages in them, as bytes and values.
//
// A link is a sequence of cells. Framing cuts the bytes of a link into cells and makes cells into bytes; it depends on
// the link protocol, because circuit ids are 2 bytes wide up to protocol 3 and 4 bytes from protocol 4:
//
//	fixed     circuit id 2 or 4 | command 1 | body 509, padded with zeros
//	variable  circuit id 2 or 4 | command 1 | length 2 | body of that length
//
// Each message is a struct with a parser and AppendTo, which work on the body alone. Parsers take the body as it came,
// padding included, and ignore what follows the last field, since a later version may use it. Slices in a message alias
// the body that it was parsed from.
//
// RELAY and RELAY_EARLY cells hold encrypted relay cells, which are the business of packages relaycrypt and relaymsg.
// PADDING, VPADDING and AUTHORIZE have bodies that nobody reads. CREATE and CREATED (TAP) are known by number, so that
// they can be refused.
//
// https://spec.torproject.org/tor-spec/cell-packet-format.html
package cell
