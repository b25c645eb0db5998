package hskeys

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// maxOPE is the largest number that is encrypted. It is three days in seconds: a descriptor is in use for two.
const maxOPE = 1 << 18

// RevisionCounter is the revision counter of a descriptor that is made at now: later descriptors have higher ones, even if
// the service has forgotten everything but its key, and the number does not tell what time the service thinks it is.
//
// since is the time of the shared random value in use: see [Use]. What C tor computes (crypto_ope_encrypt, by the sums of a
// cipher's output) is kept to the bit, so that one can switch from it and back.
//
// https://spec.torproject.org/rend-spec/revision-counter-mgt.html
func RevisionCounter(blinded *keyfile.EdSecret, since, now time.Time) (uint64, error) {
	secret, err := blinded.Expanded()
	if err != nil {
		return 0, fmt.Errorf("blinded key: %w", err)
	}
	key := hash([]byte("rev-counter-generation\x00"), secret[:])
	clear(secret[:])
	defer clear(key[:])
	seconds := now.Unix() - since.Unix() + 1
	return encryptOrdered(&key, int(min(max(seconds, 1), maxOPE))), nil
}

// encryptOrdered is the sum of the first n numbers of a stream that key gives. Each is at least 1.
func encryptOrdered(key *[32]byte, n int) (sum uint64) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("hskeys: " + err.Error()) // only a wrong length is an error
	}
	stream := cipher.NewCTR(block, make([]byte, aes.BlockSize))
	var buf [4096]byte
	for left := 2 * n; left > 0; {
		b := buf[:min(left, len(buf))]
		clear(b)
		stream.XORKeyStream(b, b)
		left -= len(b)
		for ; len(b) > 0; b = b[2:] {
			sum += uint64(binary.LittleEndian.Uint16(b)) + 1
		}
	}
	return sum
}
