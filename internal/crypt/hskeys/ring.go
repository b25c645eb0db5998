package hskeys

import (
	"bytes"
	"slices"
)

// HSIndex is where a replica of the descriptor of a blinded key belongs in the ring. Replicas count from 1.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html#HASHRING
func HSIndex(blinded [32]byte, replica uint64, p Period) [32]byte {
	return hash([]byte("store-at-idx"), blinded[:], ints(replica, p.Minutes, p.Num))
}

// HSDirIndex is where a directory is in the ring of a time period.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html#HASHRING
func HSDirIndex(ed, srv [32]byte, p Period) [32]byte {
	return hash([]byte("node-idx"), ed[:], srv[:], ints(p.Num, p.Minutes))
}

// DisasterSRV is used in place of a shared random value that the consensus does not have.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html#HASHRING
func DisasterSRV(p Period) [32]byte {
	return hash([]byte("shared-random-disaster"), ints(p.Minutes, p.Num))
}

// A Ring is the directories of a time period, in order of their indices.
type Ring struct {
	period Period
	places []place
}

type place struct {
	index [32]byte
	dir   int
}

// NewRing makes the ring of the directories with the given Ed25519 identities. It hashes once for each of them.
func NewRing(dirs [][32]byte, srv [32]byte, p Period) *Ring {
	r := &Ring{period: p, places: make([]place, len(dirs))}
	for i, ed := range dirs {
		r.places[i] = place{HSDirIndex(ed, srv, p), i}
	}
	slices.SortFunc(r.places, func(a, b place) int { return bytes.Compare(a.index[:], b.index[:]) })
	return r
}

// Responsible returns the directories of a blinded key's descriptor, as positions in the list that the Ring was made of.
// replicas is the parameter hsdir_n_replicas, and spread hsdir_spread_store for a service or hsdir_spread_fetch for a client.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html#WHERE-HSDESC
func (r *Ring) Responsible(blinded [32]byte, replicas, spread int) []int {
	var dirs []int
	for replica := range replicas {
		index := HSIndex(blinded, uint64(replica)+1, r.period)
		at, _ := slices.BinarySearchFunc(r.places, index, func(p place, index [32]byte) int {
			return bytes.Compare(p.index[:], index[:])
		})
		// "If any of those nodes have already been selected for a lower-numbered replica of the service, any nodes already
		// chosen are disregarded (i.e. skipped over) when choosing a replica's hsdir_spread_store nodes."
		for i, added := 0, 0; i < len(r.places) && added < spread; i++ {
			if dir := r.places[(at+i)%len(r.places)].dir; !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
				added++
			}
		}
	}
	return dirs
}
