//go:build !linux

package netx

import "syscall"

func bindLate(_, _ string, _ syscall.RawConn) error { return nil }
