// Package x25519 is the Diffie-Hellman function of Tor's handshakes, RFC 7748.
//
// The standard library has it too, but computes a public key from every secret that it is given and keeps copies on
// the heap. Onion skins are what a relay spends most of its public-key time on, so keys are plain arrays here: nothing
// is allocated, they can be wiped, and making one costs a multiplication by table instead of a ladder.
package x25519
