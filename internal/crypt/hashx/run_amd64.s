//go:build !purego

#include "textflag.h"

// A round of SipHash.
#define ROUND(v0, v1, v2, v3) \
	ADDQ v1, v0  \
	ADDQ v3, v2  \
	ROLQ $13, v1 \
	ROLQ $16, v3 \
	XORQ v0, v1  \
	XORQ v2, v3  \
	ROLQ $32, v0 \
	ADDQ v1, v2  \
	ADDQ v3, v0  \
	ROLQ $17, v1 \
	ROLQ $21, v3 \
	XORQ v2, v1  \
	XORQ v0, v3  \
	ROLQ $32, v2

// The registers before a run with input SI, in R8 to R15: see registers in siphash.go. CX is keys.
#define REGISTERS \
	MOVQ 0(CX), R8             \
	MOVQ 8(CX), R9             \
	MOVQ 16(CX), R10           \
	MOVQ 24(CX), R11           \
	XORQ $0xee, R9             \
	XORQ SI, R11               \
	ROUND(R8, R9, R10, R11)    \
	ROUND(R8, R9, R10, R11)    \
	XORQ SI, R8                \
	XORQ $0xee, R10            \
	ROUND(R8, R9, R10, R11)    \
	ROUND(R8, R9, R10, R11)    \
	ROUND(R8, R9, R10, R11)    \
	ROUND(R8, R9, R10, R11)    \
	MOVQ R8, R12               \
	MOVQ R9, R13               \
	MOVQ R10, R14              \
	MOVQ R11, R15              \
	XORQ $0xdd, R13            \
	ROUND(R12, R13, R14, R15)  \
	ROUND(R12, R13, R14, R15)  \
	ROUND(R12, R13, R14, R15)  \
	ROUND(R12, R13, R14, R15)

// Exchanges a register with a place in memory.
#define SWAP(reg, mem) \
	MOVQ mem, AX  \
	MOVQ reg, mem \
	MOVQ AX, reg

// func run(entry uintptr, keys *[4]uint64, first uint64, out *uint64, n uint64)
//
// BX is entry, CX keys, SI the input, DI out and n(FP) counts down. The compiled code uses R8 to R15, AX and DX. This is of
// ABI0, whose callers expect no register but SP to be kept.
//
// SipHash is a chain of operations that wait for each other, and so is the end of a program. Therefore the registers of the next
// run are made before this one, and wait on the stack: the processor works on both at a time.
TEXT ·run(SB), 0, $64-40
	MOVQ entry+0(FP), BX
	MOVQ keys+8(FP), CX
	MOVQ first+16(FP), SI
	MOVQ out+24(FP), DI
	REGISTERS
	MOVQ R8, next-64(SP)
	MOVQ R9, next-56(SP)
	MOVQ R10, next-48(SP)
	MOVQ R11, next-40(SP)
	MOVQ R12, next-32(SP)
	MOVQ R13, next-24(SP)
	MOVQ R14, next-16(SP)
	MOVQ R15, next-8(SP)

loop:
	INCQ SI
	REGISTERS
	SWAP(R8, next-64(SP))
	SWAP(R9, next-56(SP))
	SWAP(R10, next-48(SP))
	SWAP(R11, next-40(SP))
	SWAP(R12, next-32(SP))
	SWAP(R13, next-24(SP))
	SWAP(R14, next-16(SP))
	SWAP(R15, next-8(SP))

	XORL DX, DX
	CALL BX

	// The first word of the output: see finish in siphash.go.
	ADDQ 0(CX), R8
	ADDQ 8(CX), R9
	ADDQ 16(CX), R14
	ADDQ 24(CX), R15
	ROUND(R8, R9, R10, R11)
	ROUND(R12, R13, R14, R15)
	XORQ R12, R8
	MOVQ R8, (DI)

	ADDQ $8, DI
	DECQ n+32(FP)
	JNZ  loop
	RET
