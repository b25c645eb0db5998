// Package hskeys derives what an onion service and its clients compute of the service's identity key: the blinded keys of time
// periods, subcredentials, the places of descriptors in the ring of directories, and revision counters. All of it is pure.
//
//	identity key ──► credential ─────────┐
//	     │                               ├──► subcredential: who knows it can read the descriptor
//	     └── time period ──► blinded key ┤
//	                                     └──► indices: which directories keep the descriptor
//
// A [Clock] tells the time periods and the shared random values that belong to them, and a [Ring] finds the directories.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html
package hskeys

import (
	"crypto/sha3"
	"encoding/binary"
)

// hash is H of the specification.
func hash(parts ...[]byte) [32]byte {
	h := sha3.New256()
	for _, p := range parts {
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}

// ints is INT_8 of the specification, for each of the numbers.
func ints(numbers ...uint64) []byte {
	var b []byte
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}
