// Package hsservice is the host of an onion service (version 3): it keeps introduction points, publishes descriptors, and meets
// the clients that introduce themselves at the rendezvous points that they name.
//
//	INTRODUCE2 ──► reader of the link ──► workers: replays, handshake, proof of work ──► queue ──► rendezvous ──► Handler
//
// One goroutine a service, in [Service.Run], owns the introduction points, the descriptors and the queue. Circuits are built,
// descriptors are uploaded and clients are met in goroutines of their own, which report to it. All that clients can make
// the service do is bounded: what waits for the workers, what waits in the queue, and how many are being met at a time.
//
// A [Forwarder] leads streams to local servers; whoever embeds a service brings another [Handler].
//
// https://spec.torproject.org/rend-spec/
package hsservice
