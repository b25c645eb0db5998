// Package dirsync keeps the directory fresh: authority certificates, the microdescriptor consensus and the
// microdescriptors that it lists. It starts from what is on disk, asks fallback directories and authorities while it
// knows no relays, and directory guards after that, on C tor's schedule.
//
// For a relay that caches the directory for others ([Mirror]) it keeps more: the other flavor of consensus, certificates of
// all authorities, router descriptors and, if that is wanted, extra-info documents. Once the relay has told the network that
// it caches, all of that comes from the authorities, before clients want it:
//
//	authorities, caches ──► Sync (verifies) ──┬─► View, for this node itself
//	                          ▲  │            └─► Sink (role/dircache), for others
//	                          │  ▼
//	                     C tor's cache files
//
// One goroutine, in [Sync.Run], owns the state. Downloads run in goroutines of their own and report to it. What has been
// verified is published as an immutable view of the network.
//
// https://spec.torproject.org/dir-spec/client-operation.html
package dirsync
