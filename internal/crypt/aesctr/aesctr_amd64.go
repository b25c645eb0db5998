//go:build !purego

package aesctr

import (
	"github.com/tropea-net/tropea/internal/wire/cell"
	"golang.org/x/sys/cpu"
)

// best is the fastest backend that this machine has.
var best = backends()[0]

// backends lists what this machine has, the fastest first.
func backends() []backend {
	x := &cpu.X86
	list := []backend{standard}
	if x.HasAES && x.HasSSE41 {
		list = append([]backend{narrow}, list...)
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VBMI && x.HasAVX512VAES {
			list = append([]backend{wide}, list...)
		}
	}
	return list
}

// subWord puts the bytes of w through the S-box.
//
//go:noescape
func subWord(w uint32) uint32

// keyStream writes the encryption of the counters from block on.
//
//go:noescape
func keyStream(keys *[roundKeys * blockLen]byte, block uint64, stream *[bodyBlocks * blockLen]byte)

// xorWide adds the key stream from byte pos of block on, pos being less than a block.
//
//go:noescape
func xorWide(keys *[roundKeys * blockLen]byte, block, pos uint64, dst, src *[cell.BodyLen]byte)
