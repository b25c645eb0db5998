package keyfile

import (
	"crypto/cipher"
	encasn1 "encoding/asn1"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// newTurns is the cost of what we write, in turns of PBKDF2: some tenths of a second. maxTurns bounds what we read: 20 seconds.
const (
	newTurns = 600_000
	maxTurns = 50_000_000
)

// maxSalt bounds salts, in bytes. OpenSSL writes 8 or 16.
const maxSalt = 64

var (
	oidRSA        = encasn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidPBES2      = encasn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = encasn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA1   = encasn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}
	oidHMACSHA256 = encasn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidHMACSHA512 = encasn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}
	oidAES128CBC  = encasn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}
	oidAES256CBC  = encasn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
	oidDES3CBC    = encasn1.ObjectIdentifier{1, 2, 840, 113549, 3, 7}
	// pbeWithSHAAnd3-KeyTripleDES-CBC: what tor-gencert writes.
	oidSHA1DES3 = encasn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
)

// A pbe is a way in which a passphrase encrypts. The cipher is for CBC.
type pbe interface {
	cipher(passphrase []byte) (block cipher.Block, iv []byte, err error)
}

// parsePBE parses what is in an AlgorithmIdentifier.
func parsePBE(s cryptobyte.String) (pbe, error) {
	oid, err := readOID(&s)
	switch {
	case err != nil:
		return nil, err
	case oid.Equal(oidPBES2):
		return parsePBES2(s)
	case oid.Equal(oidSHA1DES3):
		return parsePKCS12(s)
	}
	return nil, fmt.Errorf("algorithm %v: %w", oid, ErrUnsupported)
}

func readOID(s *cryptobyte.String) (oid encasn1.ObjectIdentifier, err error) {
	if !s.ReadASN1ObjectIdentifier(&oid) {
		return nil, fmt.Errorf("algorithm: %w", ErrFormat)
	}
	return oid, nil
}

// readSalt reads salt and number of turns, as both ways have them.
func readSalt(s *cryptobyte.String) (salt []byte, turns int, err error) {
	if !s.ReadASN1Bytes(&salt, asn1.OCTET_STRING) || len(salt) > maxSalt || !s.ReadASN1Integer(&turns) || turns < 1 {
		return nil, 0, fmt.Errorf("passphrase: %w", ErrFormat)
	}
	if turns > maxTurns {
		return nil, 0, fmt.Errorf("passphrase costs too much: %w", ErrUnsupported)
	}
	return slices.Clone(salt), turns, nil
}
