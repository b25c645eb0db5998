//go:build purego || !(amd64 || arm64)

package aesctr

import "github.com/tropea-net/tropea/internal/wire/cell"

const best = standard

func backends() []backend { return []backend{standard} }

const noBackend = "aesctr: no such backend"

func subWord(uint32) uint32 { panic(noBackend) }

func keyStream(*[roundKeys * blockLen]byte, uint64, *[bodyBlocks * blockLen]byte) { panic(noBackend) }

func xorWide(*[roundKeys * blockLen]byte, uint64, uint64, *[cell.BodyLen]byte, *[cell.BodyLen]byte) {
	panic(noBackend)
}
