//go:build !linux

package ctor

import (
	"os"
	"os/exec"
)

// startTied starts the process. __OwningControllerProcess ends it some seconds after this one died.
func startTied(cmd *exec.Cmd) error { return cmd.Start() }

func kill(p *os.Process) { p.Kill() }
