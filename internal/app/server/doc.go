// Package server puts a relay together: keys, links, circuits, exit, directory cache, and what keeps it in the network.
//
//	listeners ──► links ──► circuits ──► role/relay ──► role/exit, role/dircache
//	                                 keys, publisher, statistics, limits
//
// Links, state and directory belong to the client of the same node as well: a relay fetches documents and tests itself
// through it.
package server
