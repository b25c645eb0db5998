// Package kdf derives keys from what a circuit handshake leaves behind: KDF-TOR and the CREATE_FAST handshake that is
// nothing but KDF-TOR, HKDF for ntor, and [Keys], the form in which every handshake hands over its result.
//
// https://spec.torproject.org/tor-spec/setting-circuit-keys.html
package kdf
