// Package aesctr is AES-128 in counter mode for the bodies of relay cells, in little memory.
//
// A relay holds two of these for each circuit, so their size is most of what an idle circuit costs, and does little else
// for a cell than run one of them. The standard library's stream takes 1 KB, and spends a third of its time on the two
// partial blocks that a body of 509 bytes has. A [Stream] is 192 bytes: the expanded key and a position. A block that was
// used in part is computed again.
//
// There is one backend for VAES with AVX-512 (amd64), one for AES-NI (amd64) and one for the AES instructions of arm64.
// Elsewhere, and with the build tag purego, the standard library does the work, and memory is as it is there.
//
// https://spec.torproject.org/tor-spec/preliminaries.html#ciphers
package aesctr

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math/bits"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

// KeyLen is the length of a key in bytes.
const KeyLen = 16

const (
	blockLen  = aes.BlockSize
	roundKeys = 11
	// bodyBlocks is how many blocks a body can touch: 509 bytes that begin at any byte of a block.
	bodyBlocks = (blockLen - 1 + cell.BodyLen + blockLen - 1) / blockLen
)

// A Stream encrypts bodies of cells one after the other. Encryption and decryption are the same. The zero Stream is not
// ready: Init makes it so. A Stream must not be copied once it is in use, and is not safe for concurrent use.
type Stream struct {
	keys [roundKeys * blockLen]byte // as the instructions want them
	off  uint64                     // bytes of the key stream that are used up
	std  cipher.Stream              // does the work where no backend does
}

// Init starts the stream of a key, with a counter of zero.
func (s *Stream) Init(key *[KeyLen]byte) { s.init(key, best) }

func (s *Stream) init(key *[KeyLen]byte, b backend) {
	*s = Stream{}
	if b == standard {
		block, err := aes.NewCipher(key[:])
		if err != nil {
			panic("aesctr: " + err.Error()) // only a wrong length is an error
		}
		s.std = cipher.NewCTR(block, make([]byte, blockLen))
		return
	}
	s.expand(key)
}

// expand computes the round keys.
func (s *Stream) expand(key *[KeyLen]byte) {
	copy(s.keys[:], key[:])
	rcon := uint32(1)
	w := binary.LittleEndian.Uint32(s.keys[KeyLen-4:])
	for i := KeyLen; i < len(s.keys); i += 4 {
		if i%KeyLen == 0 {
			w = bits.RotateLeft32(subWord(w), -8) ^ rcon
			if rcon <<= 1; rcon > 0xff {
				rcon ^= 0x11b
			}
		}
		w ^= binary.LittleEndian.Uint32(s.keys[i-KeyLen:])
		binary.LittleEndian.PutUint32(s.keys[i:], w)
	}
}

// XORBody adds the key stream to src and puts the result into dst, which may be src. It borrows both.
func (s *Stream) XORBody(dst, src *[cell.BodyLen]byte) { s.xorBody(dst, src, best) }

func (s *Stream) xorBody(dst, src *[cell.BodyLen]byte, b backend) {
	if b == standard {
		s.std.XORKeyStream(dst[:], src[:])
		return
	}
	block, pos := s.off/blockLen, s.off%blockLen
	s.off += cell.BodyLen
	if b == wide {
		xorWide(&s.keys, block, pos, dst, src)
		return
	}
	var stream [bodyBlocks * blockLen]byte
	keyStream(&s.keys, block, &stream)
	subtle.XORBytes(dst[:], src[:], stream[pos:])
}

// A backend is a way to do the work.
type backend uint8

const (
	standard backend = iota // the standard library
	narrow                  // the processor's AES instructions, a block at a time
	wide                    // the same, four blocks at a time
)

func (b backend) String() string {
	return [...]string{"standard", "narrow", "wide"}[b]
}
