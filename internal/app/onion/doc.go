// Package onion works on the key directories of onion services, which are C tor's: HiddenServiceDir takes them as they are.
//
//	hs_ed25519_secret_key, hs_ed25519_public_key    the identity, which is the address
//	hostname                                        the address
//	authorized_clients/NAME.auth                    keys of clients; if there are any, nobody else may use the service
//	ob_config                                       the front end of onionbalance, if any
//
// A [Service] is what such a directory says. It is read from a directory, a backup or a key file, checked whole, and becomes a
// directory in one step: a kill at any moment leaves none or a whole one.
//
// [Hunt] searches for a key on several cores. [Forward] and [Share] are what a service of one's own leads to: a local server, or files.
package onion
