// Package testnet runs a private Tor network of real processes on loopback: directory authorities, relays, exits and
// clients, each of them this very program unless another is asked for. The roles differ by their torrc alone, so any program
// with C tor's command line can take any of them.
//
//	net, err := testnet.Start(ctx, testnet.Config{Relays: 2, Exits: 1})
//	defer net.Close()
//	net.Node("client1").SOCKS // 127.0.0.1:PORT, ready for use
//
// Three authorities, three relays and two exits are up within some 8 seconds; most of it is the vote.
//
// The network is closed in itself: exits resolve names through a [nameserver.Server] of the network, which knows only the names
// that the test gave it. Nothing is left behind: processes die with this one, and the directory of a run that crashed is
// removed by the next run.
//
// [Main] is the sub-command of the same name.
package testnet
