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
	if cpu.ARM64.HasAES {
		return []backend{narrow, standard}
	}
	return []backend{standard}
}

// subWord puts the bytes of w through the S-box.
//
//go:noescape
func subWord(w uint32) uint32

// keyStream writes the encryption of the counters from block on.
//
//go:noescape
func keyStream(keys *[roundKeys * blockLen]byte, block uint64, stream *[bodyBlocks * blockLen]byte)

func xorWide(*[roundKeys * blockLen]byte, uint64, uint64, *[cell.BodyLen]byte, *[cell.BodyLen]byte) {
	panic("aesctr: no such backend")
}
