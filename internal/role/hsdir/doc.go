// Package hsdir is an onion service directory: it keeps the descriptors that services upload, and gives them to clients.
//
//	POST /tor/hs/3/publish       ──► store:  parsed, verified, newer than what there is
//	GET  /tor/hs/3/<blinded key> ──► lookup: not past its lifetime
//
// Any descriptor is taken, whether or not the ring of the consensus says that it belongs here: a service may have another
// consensus than we, and C tor does not look either. What bounds the memory is that the least downloaded descriptors go
// first, so that a flood of uploads does not push out what clients use.
//
// A [Dir] is a hook of package dircache; package hsdesc knows the format.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html
package hsdir
