// Package vanity finds identity keys of onion services whose addresses begin with chosen letters.
//
// A [Search] starts at a random key a and goes through a, a+8, a-8, a+16, …: multiples of 8, so that the scalar stays one
// that a seed could have given. Neighbours of a point differ from it by the points of a [Table], so that a key costs five
// multiplications in the field: no scalar multiplication, and one inversion for a whole batch. Only y is computed, which is
// all of an address's beginning.
//
// Searches that run at the same time share a Table and a [Matcher] and nothing else: each begins elsewhere. A search has no
// memory: one that starts again has lost nothing.
//
// https://spec.torproject.org/rend-spec/encoding-onion-addresses.html
package vanity
