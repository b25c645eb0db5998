package ctor

import (
	"errors"
	"time"
)

// ErrUsage is the error of a process whose use of the machine cannot be read.
var ErrUsage = errors.New("cannot read the use of the machine")

// Usage is what a process took from the machine.
type Usage struct {
	CPU time.Duration // user and system time since its start, in steps of 10 ms
	RSS int64         // memory held now, in bytes
}

// Usage measures the process, without its children.
func (p *Process) Usage() (Usage, error) { return UsageOf(p.PID()) }

// UsageOf returns what a process has used so far.
func UsageOf(pid int) (Usage, error) { return usage(pid) }
