//go:build !linux

package netx

func setNotSentLowat(uintptr, int) error { return nil }
