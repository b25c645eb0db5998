// Package admit decides what a directory authority does with the documents that relays upload: which router descriptors and
// extra-info documents it takes, and as what it knows the relays then.
//
//	r := admit.New(cfg, pins)
//	res := r.Upload(from, body, now) // of POST /tor/
//	res.Status, res.Reason           // the answer, in C tor's words: relays log them
//	res.Pins                         // for the key-pinning journal
//	res.Routers, res.Extras          // what is new, for the cache
//	r.Routers()                      // for the vote
//
// [Config.Status] and the judges of a descriptor are pure; a [Registry] holds the newest descriptor of each relay. All rules
// are C tor's (process_descs.c, routerlist.c) but these:
//
//   - A body is not looked at if it is longer than MaxBody or has more than MaxDocs documents.
//   - Signatures are expensive: each source has only so many documents that are checked, and so have all strangers together.
//     C tor checks all.
//   - Relays that are not known are refused once the descriptors of the others take too much memory.
//   - A pair of identities is pinned when its descriptor is taken. C tor does so when it looks at the descriptor, so that
//     anybody fills its journal with relays that it refuses.
//
// https://spec.torproject.org/dir-spec/uploading-relay-documents.html
package admit
