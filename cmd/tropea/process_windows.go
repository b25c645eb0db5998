package main

import (
	"errors"
	"os"
	"syscall"

	"github.com/tropea-net/tropea/internal/app/config"
)

// Windows has none of these signals.
const (
	sigHUP  = syscall.Signal(-1)
	sigUSR1 = syscall.Signal(-2)
	sigUSR2 = syscall.Signal(-3)
)

var handled = []os.Signal{os.Interrupt, syscall.SIGTERM}

// processLives tells whether there is a process of that ID.
func processLives(pid int) bool {
	p, err := os.FindProcess(pid)
	if err == nil {
		p.Release()
	}
	return err == nil
}

func becomeUser(name string) error {
	if name != "" {
		return errors.New("option User is not supported on this system")
	}
	return nil
}

var errParent = errors.New("the daemon runs in the background")

func becomeDaemon(cfg *config.Config, _ []byte) error {
	if cfg.Client.Process.RunAsDaemon {
		return errors.New("option RunAsDaemon is not supported on this system")
	}
	return nil
}

func daemonReady() {}

// inherited tells whether a file handle may have come from the process that started this one. It is left to the reading to
// find out.
func inherited(int) bool { return true }

// openTerminal opens the console of this process, whatever its standard input and output are.
func openTerminal() (in, out *os.File, err error) {
	if in, err = os.OpenFile("CONIN$", os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	if out, err = os.OpenFile("CONOUT$", os.O_RDWR, 0); err != nil {
		in.Close()
		return nil, nil, err
	}
	return in, out, nil
}
