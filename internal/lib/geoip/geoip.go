// Package geoip tells the countries of addresses, out of C tor's files geoip and geoip6 (Debian: tor-geoipdb).
//
// A line of such a file is a range of addresses with the code of a country:
//
//	16777216,16777471,AU                   geoip: addresses of IPv4 as numbers; fields may be quoted, and others follow
//	2001:200::,2001:200:ffff::,JP          geoip6
//
// Blank lines, and those that begin with #, mean nothing.
package geoip

import (
	"crypto/sha1"
	"encoding/binary"
	"io"
	"net/netip"
)

// Unknown is the country of an address that is in no range.
const Unknown = "??"

// A DB knows the countries of addresses. It does not change, so it is safe for concurrent use.
type DB struct {
	v4 table[addr4]
	v6 table[addr6]

	digests [2][sha1.Size]byte
	read    [2]bool

	// Skipped is how many lines were malformed, which C tor skips, too.
	Skipped int
}

// Read reads a file of each family; nil is none. A file must have a range that is well formed.
func Read(geoip, geoip6 io.Reader) (*DB, error) {
	db := new(DB)
	if geoip != nil {
		if err := readFile(db, 0, geoip, &db.v4, parse4); err != nil {
			return nil, err
		}
	}
	if geoip6 != nil {
		if err := readFile(db, 1, geoip6, &db.v6, parse6); err != nil {
			return nil, err
		}
	}
	return db, nil
}

// Country returns the code of a country in lower case, or Unknown.
func (db *DB) Country(a netip.Addr) string {
	switch a = a.Unmap(); {
	case a.Is4():
		b := a.As4()
		return db.v4.find(addr4(binary.BigEndian.Uint32(b[:]))).String()
	case a.Is6():
		return db.v6.find(toAddr6(a)).String()
	}
	return Unknown
}

// Digest returns the SHA-1 digest of the file of a family, if there was one.
func (db *DB) Digest(ipv6 bool) (digest [sha1.Size]byte, ok bool) {
	i := 0
	if ipv6 {
		i = 1
	}
	return db.digests[i], db.read[i]
}
