package hashx

import (
	"encoding"
	"encoding/binary"
	"math/bits"

	"golang.org/x/crypto/blake2b"
)

// salt goes into the parameters of BLAKE2b.
const salt = "HashX v1"

// saltedState is the state of a BLAKE2b-512 with salt before any input. Package blake2b has no parameter for salts, but lets one
// set the state: the magic, then eight words of the chain, and the salt is XORed to the fifth (RFC 7693, section 2.5).
var saltedState = func() []byte {
	h, err := blake2b.New512(nil)
	if err != nil {
		panic("hashx: " + err.Error()) // only a wrong key is an error
	}
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic("hashx: " + err.Error())
	}
	const fifth = len("b2b") + 4*8
	word := state[fifth : fifth+8]
	binary.BigEndian.PutUint64(word, binary.BigEndian.Uint64(word)^binary.LittleEndian.Uint64([]byte(salt)))
	return state
}()

// seedKeys are the keys of the generator and of the registers.
func seedKeys(seed []byte) (gen, reg [4]uint64) {
	h, err := blake2b.New512(nil)
	if err == nil {
		err = h.(encoding.BinaryUnmarshaler).UnmarshalBinary(saltedState)
	}
	if err != nil {
		panic("hashx: " + err.Error())
	}
	h.Write(seed)
	sum := h.Sum(nil)
	for i := range gen {
		gen[i] = binary.LittleEndian.Uint64(sum[8*i:])
		reg[i] = binary.LittleEndian.Uint64(sum[8*i+32:])
	}
	return gen, reg
}

// sipRound is a round of SipHash.
func sipRound(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v2 += v3
	v1 = bits.RotateLeft64(v1, 13)
	v3 = bits.RotateLeft64(v3, 16)
	v1 ^= v0
	v3 ^= v2
	v0 = bits.RotateLeft64(v0, 32)
	v2 += v1
	v0 += v3
	v1 = bits.RotateLeft64(v1, 17)
	v3 = bits.RotateLeft64(v3, 21)
	v1 ^= v2
	v3 ^= v0
	v2 = bits.RotateLeft64(v2, 32)
	return v0, v1, v2, v3
}

// rng is the generator's stream of numbers: SipHash-1-3 of a counter.
type rng struct {
	keys            [4]uint64
	counter         uint64
	word8, word32   uint64 // what is left of the words that the two readers took
	count8, count32 uint8
}

func (g *rng) next() uint64 {
	v0, v1, v2, v3 := g.keys[0], g.keys[1], g.keys[2], g.keys[3]^g.counter
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0 ^= g.counter
	v2 ^= 0xff
	g.counter++
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	return v0 ^ v1 ^ v2 ^ v3
}

// u8 takes the bytes of a word, the most significant first.
func (g *rng) u8() uint8 {
	if g.count8 == 0 {
		g.word8, g.count8 = g.next(), 8
	}
	g.count8--
	g.word8 = bits.RotateLeft64(g.word8, 8)
	return uint8(g.word8)
}

// u32 takes the halves of a word, the upper one first.
func (g *rng) u32() uint32 {
	if g.count32 == 0 {
		g.word32, g.count32 = g.next(), 2
	}
	g.count32--
	g.word32 = bits.RotateLeft64(g.word32, 32)
	return uint32(g.word32)
}

// registers are the registers before a run.
func registers(keys *[4]uint64, input uint64) (r [8]uint64) {
	v0, v1, v2, v3 := keys[0], keys[1]^0xee, keys[2], keys[3]^input
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0 ^= input
	v2 ^= 0xee
	for range 4 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	r[0], r[1], r[2], r[3] = v0, v1, v2, v3
	v1 ^= 0xdd
	for range 4 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	r[4], r[5], r[6], r[7] = v0, v1, v2, v3
	return r
}

// finish makes the output of the registers after a run.
func finish(keys *[4]uint64, r *[8]uint64) [4]uint64 {
	a0, a1, a2, a3 := sipRound(r[0]+keys[0], r[1]+keys[1], r[2], r[3])
	b0, b1, b2, b3 := sipRound(r[4], r[5], r[6]+keys[2], r[7]+keys[3])
	return [4]uint64{a0 ^ b0, a1 ^ b1, a2 ^ b2, a3 ^ b3}
}
