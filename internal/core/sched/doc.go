// Package sched decides which circuit of a link sends next: the one that has sent least, where what was sent long ago
// counts less. So a circuit that carries a click now and then goes before one that carries a film. The idea is of Tang and
// Goldberg, "An Improved Algorithm for Tor Circuit Scheduling" (CCS 2010).
//
// C tor has this in circuitmux_ewma.c. It moves all its counts to a new scale once in a tick (CircuitPriorityTickSecs); when
// that is done changes no order, so the parameter has no counterpart here.
package sched
