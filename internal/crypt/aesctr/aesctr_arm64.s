//go:build !purego

#include "textflag.h"

// func subWord(w uint32) uint32
TEXT ·subWord(SB), NOSPLIT, $0-12
	MOVWU w+0(FP), R0
	VDUP R0, V0.S4 // with all columns alike, the instruction's ShiftRows changes nothing
	VEOR V1.B16, V1.B16, V1.B16
	AESE V1.B16, V0.B16
	VMOV V0.S[0], R0
	MOVW R0, ret+8(FP)
	RET

// COUNTER makes the counter block of R1, and counts on.
#define COUNTER(V) \
	REV R1, R4                   \
	VEOR V.B16, V.B16, V.B16     \
	VMOV R4, V.D[1]              \
	ADD $1, R1

#define ROUND(K) \
	AESE K.B16, V0.B16     \
	AESMC V0.B16, V0.B16   \
	AESE K.B16, V1.B16     \
	AESMC V1.B16, V1.B16   \
	AESE K.B16, V2.B16     \
	AESMC V2.B16, V2.B16

// func keyStream(keys *[176]byte, block uint64, stream *[528]byte)
TEXT ·keyStream(SB), NOSPLIT, $0-24
	MOVD keys+0(FP), R0
	MOVD block+8(FP), R1
	MOVD stream+16(FP), R2
	VLD1.P 64(R0), [V16.B16, V17.B16, V18.B16, V19.B16]
	VLD1.P 64(R0), [V20.B16, V21.B16, V22.B16, V23.B16]
	VLD1 (R0), [V24.B16, V25.B16, V26.B16]
	MOVD $11, R3

three: // eleven times three blocks
	COUNTER(V0)
	COUNTER(V1)
	COUNTER(V2)
	ROUND(V16)
	ROUND(V17)
	ROUND(V18)
	ROUND(V19)
	ROUND(V20)
	ROUND(V21)
	ROUND(V22)
	ROUND(V23)
	ROUND(V24)
	AESE V25.B16, V0.B16
	AESE V25.B16, V1.B16
	AESE V25.B16, V2.B16
	VEOR V26.B16, V0.B16, V0.B16
	VEOR V26.B16, V1.B16, V1.B16
	VEOR V26.B16, V2.B16, V2.B16
	VST1.P [V0.B16, V1.B16, V2.B16], 48(R2)
	SUBS $1, R3
	BNE three
	RET
