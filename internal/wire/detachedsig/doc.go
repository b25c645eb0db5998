// Package detachedsig reads and writes detached signatures: the document in which authorities exchange their signatures of
// the consensuses, of all flavors, that each of them computed for itself.
//
// https://spec.torproject.org/dir-spec/exchanging-signatures.html
package detachedsig
