//go:build linux || freebsd

#include "textflag.h"

// Instructions that the assembler has no names for. R5 is the address.
#define READ_CTR_R2 WORD $0xd53b0022 // mrs x2, ctr_el0
#define DC_CVAU_R5  WORD $0xd50b7b25 // dc cvau, x5
#define IC_IVAU_R5  WORD $0xd50b7525 // ic ivau, x5
#define DSB_ISH     WORD $0xd5033b9f
#define ISB_SY      WORD $0xd5033fdf

// func sync(addr, length uintptr)
TEXT ·sync(SB), NOSPLIT, $0-16
	MOVD addr+0(FP), R0
	MOVD length+8(FP), R1
	ADD  R0, R1 // end
	MOVD $4, R4
	READ_CTR_R2

	// Lines of the data cache are 4 << CTR[19:16] bytes long.
	UBFX $16, R2, $4, R3
	LSL  R3, R4, R3
	SUB  $1, R3, R6
	BIC  R6, R0, R5

data:
	CMP R1, R5
	BHS dataDone
	DC_CVAU_R5
	ADD R3, R5
	B   data

dataDone:
	DSB_ISH

	// Lines of the instruction cache are 4 << CTR[3:0] bytes long.
	UBFX $0, R2, $4, R3
	LSL  R3, R4, R3
	SUB  $1, R3, R6
	BIC  R6, R0, R5

code:
	CMP R1, R5
	BHS codeDone
	IC_IVAU_R5
	ADD R3, R5
	B   code

codeDone:
	DSB_ISH
	ISB_SY
	RET
