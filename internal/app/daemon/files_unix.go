//go:build unix

package daemon

import "syscall"

// maxFiles is how many files the process may have open.
func maxFiles() (int, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	return int(min(uint64(l.Cur), 1<<24)), nil
}
