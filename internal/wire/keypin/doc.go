// Package keypin binds the two identities of relays to each other: an authority that once saw an RSA identity together with
// an Ed25519 identity takes neither of them with another one. So an RSA identity, which is weak, is as good as its partner.
//
// The pins are in C tor's file "key-pinning-journal", which only grows:
//
//	@opened-at 2026-11-26 23:17:16
//	MMgXYpAPC+8nTjjeZdRth2ED9UQ CP2EHvt5WslOMVyAzVVzGMUzHB55odX2tf8wab6sMMU
//
// [Pins] computes and remembers; its caller appends to the file what [Pins.Add] has added, and [AppendOpened] before the
// first line of a run.
//
// https://spec.torproject.org/dir-spec/key-pinning.html
package keypin
