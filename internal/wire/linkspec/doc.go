// Package linkspec has link specifiers, which say how to reach a relay and how to recognise it. They are in EXTEND2
// messages, in INTRODUCE1 messages and in onion service descriptors.
//
//	list: n 1 | n times: type 1 | length 1 | body
//
// Specifiers of unknown types are carried through unchanged, since the next reader may know them.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
package linkspec
