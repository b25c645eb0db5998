// Package trusteddirs knows whom to ask before anything is known about the network: the directory authorities, whose
// signatures make a consensus valid, and the fallback directories, which are trusted with nothing but serve the first
// documents so that the authorities need not.
//
// [Default] gives those of the public network. A torrc may name others by DirAuthority, AlternateDirAuthority and
// FallbackDir lines, which [ParseAuthority] and [ParseFallback] read.
package trusteddirs
