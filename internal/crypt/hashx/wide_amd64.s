//go:build !purego

#include "textflag.h"

// A round of SipHash on eight lanes.
#define ROUND(v0, v1, v2, v3) \
	VPADDQ v1, v0, v0   \
	VPADDQ v3, v2, v2   \
	VPROLQ $13, v1, v1  \
	VPROLQ $16, v3, v3  \
	VPXORQ v0, v1, v1   \
	VPXORQ v2, v3, v3   \
	VPROLQ $32, v0, v0  \
	VPADDQ v1, v2, v2   \
	VPADDQ v3, v0, v0   \
	VPROLQ $17, v1, v1  \
	VPROLQ $21, v3, v3  \
	VPXORQ v2, v1, v1   \
	VPXORQ v0, v3, v3   \
	VPROLQ $32, v2, v2

// The registers before a run with the inputs in: see registers in siphash.go. CX is keys.
#define REGISTERS(in, r0, r1, r2, r3, r4, r5, r6, r7) \
	VPBROADCASTQ 0(CX), r0   \
	VPBROADCASTQ 8(CX), r1   \
	VPBROADCASTQ 16(CX), r2  \
	VPBROADCASTQ 24(CX), r3  \
	VPXORQ Z28, r1, r1       \
	VPXORQ in, r3, r3        \
	ROUND(r0, r1, r2, r3)    \
	ROUND(r0, r1, r2, r3)    \
	VPXORQ in, r0, r0        \
	VPXORQ Z28, r2, r2       \
	ROUND(r0, r1, r2, r3)    \
	ROUND(r0, r1, r2, r3)    \
	ROUND(r0, r1, r2, r3)    \
	ROUND(r0, r1, r2, r3)    \
	VMOVDQA64 r0, r4         \
	VPXORQ Z29, r1, r5       \
	VMOVDQA64 r2, r6         \
	VMOVDQA64 r3, r7         \
	ROUND(r4, r5, r6, r7)    \
	ROUND(r4, r5, r6, r7)    \
	ROUND(r4, r5, r6, r7)    \
	ROUND(r4, r5, r6, r7)

// The first word of the output, in r0: see finish in siphash.go.
#define FINISH(r0, r1, r2, r3, r4, r5, r6, r7) \
	VPADDQ.BCST 0(CX), r0, r0   \
	VPADDQ.BCST 8(CX), r1, r1   \
	VPADDQ.BCST 16(CX), r6, r6  \
	VPADDQ.BCST 24(CX), r7, r7  \
	ROUND(r0, r1, r2, r3)       \
	ROUND(r4, r5, r6, r7)       \
	VPXORQ r4, r0, r0

DATA zeroToSeven<>+0(SB)/8, $0
DATA zeroToSeven<>+8(SB)/8, $1
DATA zeroToSeven<>+16(SB)/8, $2
DATA zeroToSeven<>+24(SB)/8, $3
DATA zeroToSeven<>+32(SB)/8, $4
DATA zeroToSeven<>+40(SB)/8, $5
DATA zeroToSeven<>+48(SB)/8, $6
DATA zeroToSeven<>+56(SB)/8, $7
GLOBL zeroToSeven<>(SB), RODATA|NOPTR, $64

// func runWide(entry uintptr, keys *[4]uint64, first uint64, out *uint64, n uint64)
//
// BX is entry, CX keys, DI out and n(FP) counts down. Z27 are the inputs of the first half. The compiled code uses Z0 to Z26, of
// which Z26 is a constant, and K1 to K3.
TEXT ·runWide(SB), 0, $16-40
	MOVQ entry+0(FP), BX
	MOVQ keys+8(FP), CX
	MOVQ out+24(FP), DI
	VPBROADCASTQ first+16(FP), Z27
	VPADDQ zeroToSeven<>(SB), Z27, Z27
	MOVL $0xffffffff, AX
	VPBROADCASTQ AX, Z26
	MOVL $0xee, AX
	VPBROADCASTQ AX, Z28
	MOVL $0xdd, AX
	VPBROADCASTQ AX, Z29
	MOVL $8, AX
	VPBROADCASTQ AX, Z30

loop:
	VPADDQ Z30, Z27, Z31
	REGISTERS(Z27, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	REGISTERS(Z31, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15)
	VPADDQ Z30, Z31, Z27
	KXNORB K1, K1, K1
	KXNORB K2, K2, K2

	CALL BX

	FINISH(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	FINISH(Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15)
	VMOVDQU64 Z0, 0(DI)
	VMOVDQU64 Z8, 64(DI)

	ADDQ $128, DI
	SUBQ $16, n+32(FP)
	JNZ  loop
	VZEROUPPER
	RET
