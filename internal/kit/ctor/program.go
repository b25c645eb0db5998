package ctor

import (
	"bytes"
	"os/exec"
	"sync"
)

// IsTropea tells a program of ours from C tor, by what it says of its version.
func IsTropea(bin string) bool {
	if is, ok := programs.Load(bin); ok {
		return is.(bool)
	}
	version, err := exec.Command(bin, "--version").Output()
	is := err == nil && bytes.Contains(version, []byte("tropea"))
	programs.Store(bin, is)
	return is
}

var programs sync.Map // what IsTropea found, by path
