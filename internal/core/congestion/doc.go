// Package congestion decides how many DATA cells an end of a circuit may have on the way to the other end, and when
// that end acknowledges them by SENDME. It is pure: it counts and compares, and its caller sends, under its own locks.
//
// A circuit's end has, for each other end that it has streams with, a [Control] for what it sends and a [Deliver] for
// what it receives. A stream has a [StreamWindow] and a Deliver. A client has several other ends on one circuit, a relay
// has one. Cells other than DATA count nowhere.
//
//	sender                                      receiver
//	Control.CanSend, OnSent      ── DATA ──>    Deliver.OnReceived; when due: OnSendmeSent
//	Control.OnSendme            <── SENDME ──
//
// The one algorithm is that of fixed windows, from https://spec.torproject.org/tor-spec/flow-control.html, with the
// authenticated SENDMEs of https://spec.torproject.org/proposals/289-authenticated-sendmes.html.
package congestion
