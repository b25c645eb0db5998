//go:build !purego

#include "textflag.h"

// A round of SipHash. Rotations are to the right.
#define ROUND(v0, v1, v2, v3) \
	ADD v1, v0      \
	ADD v3, v2      \
	ROR $51, v1, v1 \
	ROR $48, v3, v3 \
	EOR v0, v1      \
	EOR v2, v3      \
	ROR $32, v0, v0 \
	ADD v1, v2      \
	ADD v3, v0      \
	ROR $47, v1, v1 \
	ROR $43, v3, v3 \
	EOR v2, v1      \
	EOR v0, v3      \
	ROR $32, v2, v2

// func run(entry uintptr, keys *[4]uint64, first uint64, out *uint64, n uint64)
//
// R14 is entry, R10 keys, R11 the input, R12 out and R13 counts down. The compiled code uses R0 to R9. This is of ABI0, whose
// callers expect only R18, R28 and the stack to be kept.
TEXT ·run(SB), 0, $16-40
	MOVD entry+0(FP), R14
	MOVD keys+8(FP), R10
	MOVD first+16(FP), R11
	MOVD out+24(FP), R12
	MOVD n+32(FP), R13
	MOVD $0xee, R16
	MOVD $0xdd, R17

loop:
	// The registers before the run: see registers in siphash.go.
	LDP (R10), (R0, R1)
	LDP 16(R10), (R2, R3)
	EOR R16, R1
	EOR R11, R3
	ROUND(R0, R1, R2, R3)
	ROUND(R0, R1, R2, R3)
	EOR R11, R0
	EOR R16, R2
	ROUND(R0, R1, R2, R3)
	ROUND(R0, R1, R2, R3)
	ROUND(R0, R1, R2, R3)
	ROUND(R0, R1, R2, R3)
	MOVD R0, R4
	EOR  R17, R1, R5
	MOVD R2, R6
	MOVD R3, R7
	ROUND(R4, R5, R6, R7)
	ROUND(R4, R5, R6, R7)
	ROUND(R4, R5, R6, R7)
	ROUND(R4, R5, R6, R7)

	MOVD ZR, R9
	CALL (R14)

	// The first word of the output: see finish in siphash.go.
	LDP (R10), (R8, R9)
	ADD R8, R0
	ADD R9, R1
	LDP 16(R10), (R8, R9)
	ADD R8, R6
	ADD R9, R7
	ROUND(R0, R1, R2, R3)
	ROUND(R4, R5, R6, R7)
	EOR R4, R0
	MOVD.P R0, 8(R12)

	ADD $1, R11
	SUBS $1, R13
	BNE loop
	RET
