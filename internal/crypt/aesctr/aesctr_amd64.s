//go:build !purego

#include "textflag.h"

// func subWord(w uint32) uint32
TEXT ·subWord(SB), NOSPLIT, $0-12
	MOVL w+0(FP), AX
	MOVQ AX, X0
	PSHUFD $0, X0, X0
	AESKEYGENASSIST $0, X0, X1
	MOVL X1, AX
	MOVL AX, ret+8(FP)
	RET

// COUNTER makes the counter block of BX, and counts on.
#define COUNTER(X) \
	MOVQ BX, R8      \
	BSWAPQ R8        \
	PXOR X, X        \
	PINSRQ $1, R8, X \
	INCQ BX

#define EIGHT(OP) \
	OP X8, X0 \
	OP X8, X1 \
	OP X8, X2 \
	OP X8, X3 \
	OP X8, X4 \
	OP X8, X5 \
	OP X8, X6 \
	OP X8, X7

#define ROUND8(OFF, OP) \
	MOVUPS OFF(AX), X8 \
	EIGHT(OP)

#define ROUND1(OFF, OP) \
	MOVUPS OFF(AX), X8 \
	OP X8, X0

// func keyStream(keys *[176]byte, block uint64, stream *[528]byte)
TEXT ·keyStream(SB), NOSPLIT, $0-24
	MOVQ keys+0(FP), AX
	MOVQ block+8(FP), BX
	MOVQ stream+16(FP), DI
	MOVQ $4, CX

eight:
	COUNTER(X0)
	COUNTER(X1)
	COUNTER(X2)
	COUNTER(X3)
	COUNTER(X4)
	COUNTER(X5)
	COUNTER(X6)
	COUNTER(X7)
	ROUND8(0, PXOR)
	ROUND8(16, AESENC)
	ROUND8(32, AESENC)
	ROUND8(48, AESENC)
	ROUND8(64, AESENC)
	ROUND8(80, AESENC)
	ROUND8(96, AESENC)
	ROUND8(112, AESENC)
	ROUND8(128, AESENC)
	ROUND8(144, AESENC)
	ROUND8(160, AESENCLAST)
	MOVUPS X0, 0(DI)
	MOVUPS X1, 16(DI)
	MOVUPS X2, 32(DI)
	MOVUPS X3, 48(DI)
	MOVUPS X4, 64(DI)
	MOVUPS X5, 80(DI)
	MOVUPS X6, 96(DI)
	MOVUPS X7, 112(DI)
	ADDQ $128, DI
	DECQ CX
	JNZ eight

	COUNTER(X0) // the 33rd block
	ROUND1(0, PXOR)
	ROUND1(16, AESENC)
	ROUND1(32, AESENC)
	ROUND1(48, AESENC)
	ROUND1(64, AESENC)
	ROUND1(80, AESENC)
	ROUND1(96, AESENC)
	ROUND1(112, AESENC)
	ROUND1(128, AESENC)
	ROUND1(144, AESENC)
	ROUND1(160, AESENCLAST)
	MOVUPS X0, 0(DI)
	RET

// The counters of a group of four blocks, relative to the first.
DATA lanes<>+0(SB)/8, $0
DATA lanes<>+8(SB)/8, $0
DATA lanes<>+16(SB)/8, $0
DATA lanes<>+24(SB)/8, $1
DATA lanes<>+32(SB)/8, $0
DATA lanes<>+40(SB)/8, $2
DATA lanes<>+48(SB)/8, $0
DATA lanes<>+56(SB)/8, $3
GLOBL lanes<>(SB), NOPTR|RODATA, $64

// From group to group.
DATA four<>+0(SB)/8, $0
DATA four<>+8(SB)/8, $4
GLOBL four<>(SB), NOPTR|RODATA, $16

// Counters are big-endian, and their upper half is zero.
DATA swap<>+0(SB)/8, $0x8080808080808080
DATA swap<>+8(SB)/8, $0x08090a0b0c0d0e0f
GLOBL swap<>(SB), NOPTR|RODATA, $16

#define NINE(OP) \
	OP Z31, Z0, Z0 \
	OP Z31, Z1, Z1 \
	OP Z31, Z2, Z2 \
	OP Z31, Z3, Z3 \
	OP Z31, Z4, Z4 \
	OP Z31, Z5, Z5 \
	OP Z31, Z6, Z6 \
	OP Z31, Z7, Z7 \
	OP Z31, Z8, Z8

#define ROUND9(OFF, OP) \
	VBROADCASTI32X4 OFF(AX), Z31 \
	NINE(OP)

// Byte numbers, to shift by.
DATA bytes0<>+0(SB)/8, $0x0706050403020100
DATA bytes0<>+8(SB)/8, $0x0f0e0d0c0b0a0908
DATA bytes0<>+16(SB)/8, $0x1716151413121110
DATA bytes0<>+24(SB)/8, $0x1f1e1d1c1b1a1918
DATA bytes0<>+32(SB)/8, $0x2726252423222120
DATA bytes0<>+40(SB)/8, $0x2f2e2d2c2b2a2928
DATA bytes0<>+48(SB)/8, $0x3736353433323130
DATA bytes0<>+56(SB)/8, $0x3f3e3d3c3b3a3938
GLOBL bytes0<>(SB), NOPTR|RODATA, $64

#define STORE(OFF, Z) \
	VPXORQ OFF(SI), Z, Z \
	VMOVDQU64 Z, OFF(DI)

// func xorWide(keys *[176]byte, block, pos uint64, dst, src *[509]byte)
//
// Nine groups of four blocks are shifted by pos bytes to eight groups of 64 bytes; the last one, of 61, begins 3 bytes
// early. So all loads and stores are whole and at places that depend on the body alone: the next layer of the same body
// can take them from the store buffer.
TEXT ·xorWide(SB), NOSPLIT, $0-40
	MOVQ keys+0(FP), AX
	MOVQ block+8(FP), BX
	MOVQ pos+16(FP), CX
	MOVQ dst+24(FP), DI
	MOVQ src+32(FP), SI

	VPBROADCASTQ BX, Z0
	VPADDQ lanes<>(SB), Z0, Z0
	VBROADCASTI32X4 four<>(SB), Z30
	VPADDQ Z30, Z0, Z1
	VPADDQ Z30, Z1, Z2
	VPADDQ Z30, Z2, Z3
	VPADDQ Z30, Z3, Z4
	VPADDQ Z30, Z4, Z5
	VPADDQ Z30, Z5, Z6
	VPADDQ Z30, Z6, Z7
	VPADDQ Z30, Z7, Z8
	VBROADCASTI32X4 swap<>(SB), Z31
	NINE(VPSHUFB)

	ROUND9(0, VPXORQ)
	ROUND9(16, VAESENC)
	ROUND9(32, VAESENC)
	ROUND9(48, VAESENC)
	ROUND9(64, VAESENC)
	ROUND9(80, VAESENC)
	ROUND9(96, VAESENC)
	ROUND9(112, VAESENC)
	ROUND9(128, VAESENC)
	ROUND9(144, VAESENC)
	ROUND9(160, VAESENCLAST)

	VMOVDQU64 bytes0<>(SB), Z29
	VPBROADCASTB CX, Z30
	VPADDB Z29, Z30, Z30
	VPERMT2B Z1, Z30, Z0
	VPERMT2B Z2, Z30, Z1
	VPERMT2B Z3, Z30, Z2
	VPERMT2B Z4, Z30, Z3
	VPERMT2B Z5, Z30, Z4
	VPERMT2B Z6, Z30, Z5
	VPERMT2B Z7, Z30, Z6
	VPERMT2B Z8, Z30, Z7
	MOVL $61, CX
	VPBROADCASTB CX, Z30
	VPADDB Z29, Z30, Z30
	VMOVDQA64 Z6, Z8
	VPERMT2B Z7, Z30, Z8 // bytes 445 to 508

	VPXORQ 445(SI), Z8, Z8 // before the store of the group that it overlaps
	STORE(0, Z0)
	STORE(64, Z1)
	STORE(128, Z2)
	STORE(192, Z3)
	STORE(256, Z4)
	STORE(320, Z5)
	STORE(384, Z6)
	VMOVDQU64 Z8, 445(DI)
	VZEROUPPER
	RET
