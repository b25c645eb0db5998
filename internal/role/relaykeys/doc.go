// Package relaykeys owns the keys of a relay: it loads or makes them, keeps them in C tor's files, and replaces each when
// its time has come.
//
//	RSA identity ─────────────── for ever ─────► fingerprint, descriptor, TLS certificate
//	Ed25519 identity (master) ── for ever ─────► signing key, and nothing else; may be kept offline
//	   signing key ───────────── 30 days ──────► descriptor, certificates for links
//	      TLS certificate ────── 2 hours ──────► links from others
//	      authentication key ─── 2 days ───────► links to others
//	onion key (ntor) ─────────── 28 days ──────► circuits; the one before is good for 7 days more
//	family keys ──────────────── for ever ─────► descriptor
//
// [Load] makes a [Keyring]. One goroutine owns it: it sleeps until [Keyring.Next] and calls [Keyring.Advance], which does
// what is due and tells what changed. Everyone else takes a [Snapshot] from [Keyring.Current]: an immutable value with all
// keys of the moment.
//
// [Keygen] is --keygen, for operators who keep the master key encrypted or offline: it makes signing keys that a running
// relay takes over at [Keyring.Reload], or by itself when the one that it has is about to expire.
//
// Each file is replaced in one step, and files are written in such an order that a kill between any two leaves a directory
// that starts with the same identity. A key that may be some relay's identity is never replaced: what is damaged, or does not
// fit, is a [FileError] that names the file and says what to do.
//
// https://spec.torproject.org/tor-spec/relay-keys.html
package relaykeys
