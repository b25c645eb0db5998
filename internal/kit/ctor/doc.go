// Package ctor drives one process of a tor program: C tor itself, or any program that takes the same command line, torrc
// and log format. It writes the torrc, starts the program, waits for log lines, talks to its control port, measures it,
// and stops and reaps it.
//
// A [Process] is one run of the program in one directory:
//
//	DIR/torrc   as given, written at every start
//	DIR/log     standard output and error, appended over all runs
//	DIR/data    the DataDirectory
//
// Nothing outlives its parent: on Linux the kernel kills the process when the parent dies, elsewhere the program watches
// the parent by itself (__OwningControllerProcess).
//
// [ProtocolWarnings] makes C tor a judge: it picks the lines of a log that complain about a peer.
package ctor
