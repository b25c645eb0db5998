//go:build !linux

package config

func systemMemory() uint64 { return 0 }
