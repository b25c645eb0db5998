// Package tropea lets a Go program use the Tor network: it runs a whole Tor client inside the process, with no other
// program, no port and no configuration file.
//
//	client, err := tropea.New(tropea.Config{Dir: dir})
//	if err != nil { … }
//	defer client.Close()
//	if err := client.Start(ctx); err != nil { … } // returns when circuits can be built
//	http := &http.Client{Transport: &http.Transport{DialContext: client.DialContext}}
//
// A Go program can be an onion service as well, for any server that takes a net.Listener:
//
//	onion, err := client.Listen(ctx, tropea.OnionConfig{Key: key}) // returns when clients can reach it
//	if err != nil { … }
//	log.Print(onion.Addr()) // such as xyz….onion:80
//	http.Serve(onion, handler)
//
// Names are resolved at the far end of a circuit, never here. Streams share circuits, and can then be linked to each
// other by their exit, unless they have different [Isolation] values.
//
// A Client keeps its guards and its copy of the directory in [Config].Dir. It writes nothing to standard output, sets no
// signal handler and has no global state: a process may run several.
//
// Tropea is independent of the Tor Project and has not been audited. What it does not do yet, bridges among it,
// fails with an [Error] that says so.
package tropea
