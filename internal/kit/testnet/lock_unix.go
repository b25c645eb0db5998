//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package testnet

import (
	"io/fs"
	"os"
	"syscall"
)

// tryLock takes the lock on a file or fails at once. Closing the file, or the end of the process, drops it.
func tryLock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// ours says whether a file belongs to the user of this process.
func ours(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
