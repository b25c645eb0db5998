// Package tropeatest gives a test a private Tor network: authorities, relays and exits inside the test's own process, offline,
// ready in seconds.
//
//	func TestFetch(t *testing.T) {
//		net := tropeatest.New(t, tropeatest.Options{})
//		l, err := net.Listen("www.test") // a server behind the network
//		…
//		resp, err := net.Client(0).HTTP().Get("http://" + l.Addr().String())
//		…
//	}
//
// Streams go through three relays as they do in the public network: the same code builds circuits, encrypts cells, votes on
// consensuses and resolves names. The network is closed in itself. Exits connect to this machine only, and know only the names
// that the test gave them.
//
// [New] is for tests in real time. Programs under test reach the network through a SOCKS port ([Client.SOCKS]), Go programs that
// embed Tropea with [Net.ClientConfig], and servers of the test may listen wherever loopback is. [Virtual] runs a test in virtual
// time (testing/synctest): the network is in memory, and hours cost seconds.
//
// Onion services are those of clients of the network ([Client.Listen]), in virtual time too, or of a client of package tropea on such
// a configuration: see the example of [Net.ClientConfig]. All clients of the network reach them.
//
// Networks are apart from each other: tests that use them may run in parallel. Tests that want to share one make it with [Start]
// in TestMain.
package tropeatest
