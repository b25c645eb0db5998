// Package dircache is the server side of the directory protocol: what a relay answers in BEGIN_DIR streams and on a DirPort.
//
//	what others verified ──► Cache (immutable documents) ──► Server.Serve (one request, one answer) ──► stream or TCP
//	                           ▲ Run: compresses consensuses, makes diffs
//
// A [Cache] holds consensuses of both flavors with diffs to them, certificates, router descriptors, extra-info documents and
// microdescriptors. It believes what it is given: whoever fills it has verified the documents. What is big and often asked
// for is compressed once, by the goroutine of [Cache.Run], and then written out by slices; lists of descriptors are
// compressed for each answer at the fastest level, by a bounded number of encoders, or sent plain if those are busy.
//
// A [Server] reads requests and answers them with the status codes, headers and preferences of C tor's dircache.c. What
// this package does not know, such as votes, uploads and onion service descriptors, it asks of a hook.
//
// Old consensuses, from which diffs are made, lie on disk, in C tor's directory diff-cache. Everything else that is stored
// is stored by whoever fills the cache: package dirsync.
//
// https://spec.torproject.org/dir-spec/directory-cache-operation.html
package dircache
