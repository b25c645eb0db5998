// Package circmgr builds circuits and keeps those that are of use: ahead of need for the ports that are likely to come,
// and for each request that no open circuit can serve. It decides which requests may share a circuit.
//
// One goroutine, in [Manager.Run], owns the pool. Builds run in goroutines of their own and report to it. Directory
// circuits of one hop live beside the pool, one a relay.
//
// https://spec.torproject.org/path-spec/
package circmgr
