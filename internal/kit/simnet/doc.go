// Package simnet runs a whole Tor network in one process: directory authorities, relays, exits and clients, each made of the
// same parts as the program is.
//
//	net, err := simnet.New(simnet.Config{Authorities: 3, Relays: 4, Exits: 2, Clients: 1})
//	defer net.Close()
//	err = net.WaitReady(ctx)
//	conn, err := net.Client(0).DialContext(ctx, "tcp", "198.51.100.1:80")
//
// The network between the nodes is one in memory, or the loopback device. In memory a network may live in virtual time: if New is
// called inside a bubble of testing/synctest, a day costs seconds. Links have latency and can be cut, clocks of nodes can be
// wrong, and nodes can stop, crash and start again with the files that they had.
//
// What nodes log is kept as a trace, with the times of the world: see [Net.Trace].
package simnet
