// Package congestion decides how many DATA cells an end of a circuit may have on the way to the other end, and when
// that end acknowledges them by SENDME. It is pure: it counts and compares, and its caller sends, under its own locks.
//
// A circuit's end has, for each other end that it has streams with, a [Control] for what it sends and a [Deliver] for
// what it receives. A client has several other ends on one circuit, a relay has one. Cells other than DATA count nowhere.
// A stream has a [StreamWindow] and a Deliver where its circuit has fixed windows, and else, a [Throttle] for what it
// sends and a [Drain] for what it receives.
//
//	sender                                      receiver
//	Control.CanSend, OnSent      ── DATA ──>    Deliver.OnReceived; when due: OnSendmeSent
//	Control.OnSendme            <── SENDME ──
//
// The algorithms are fixed windows, from https://spec.torproject.org/tor-spec/flow-control.html, with the authenticated
// SENDMEs of https://spec.torproject.org/proposals/289-authenticated-sendmes.html, and Vegas with XON and XOFF, from
// https://spec.torproject.org/proposals/324-rtt-congestion-control.html.
package congestion
