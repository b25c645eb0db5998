// Package dirsync keeps the directory fresh: authority certificates, the microdescriptor consensus and the
// microdescriptors that it lists. It starts from what is on disk, asks fallback directories and authorities while it
// knows no relays, and directory guards after that, on C tor's schedule.
//
// One goroutine, in [Sync.Run], owns the state. Downloads run in goroutines of their own and report to it. What has been
// verified is published as an immutable view of the network.
//
// https://spec.torproject.org/dir-spec/client-operation.html
package dirsync
