package ctor

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// spawner runs functions on one thread that never ends.
var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// startTied starts the process such that the kernel kills it when this one dies, however that happens. It gets a process
// group of its own, so that Ctrl-C in a terminal reaches this process alone, which then stops it in order.
//
// The kernel watches the thread that forked, not the process, so the fork happens on a thread that stays.
func startTied(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error, 1)
	spawner() <- func() { result <- cmd.Start() }
	return <-result
}

// kill kills the process and, with its group, the pluggable transports that it started. A process that was reaped is left
// alone: its id may be another's by now.
func kill(p *os.Process) {
	if p.Kill() == nil {
		syscall.Kill(-p.Pid, syscall.SIGKILL)
	}
}
