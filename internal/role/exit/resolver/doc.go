// Package resolver is the DNS client of an exit relay: it finds the addresses of the names that BEGIN and RESOLVE bring,
// and the names of addresses.
//
// It asks the recursive servers of the system's resolv.conf, by UDP and, where an answer does not fit, by TCP. Each
// query has a socket with a random port, a random ID and random case (0x20), and an answer counts only if it comes from
// the server and repeats all of that. Servers that do not answer are left out until a probe finds them well again.
//
// Answers are cached with the coarse and fuzzy lifetimes of C tor, so that neither the lifetime that a client is told nor
// what is in the cache says much about who asked for what and when. Requests for the same name share one query.
//
// Some servers answer for names that do not exist, to show advertisements. [Resolver.Run] finds out by asking for random
// names; addresses that come back for those count as "not found" from then on. A server that sends even well-known names
// there makes the whole exit useless, and [Resolver.Broken] says so.
//
// What a name resolves to is not judged here: whether an address may be connected to, and that answers with internal
// addresses are an attack, is for the exit policy.
//
// https://spec.torproject.org/tor-spec/remote-hostname-lookup.html
package resolver
