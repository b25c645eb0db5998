package testnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

const (
	downTimeout = 30 * time.Second
	downPoll    = 20 * time.Millisecond
	askTimeout  = 2 * time.Second
)

// tend is "tropea testnet status [DIR]" and "tropea testnet down [DIR]".
func tend(ctx context.Context, verb string, args []string, stdout, stderr io.Writer) int {
	dir := ""
	switch {
	case len(args) > 1 || len(args) == 1 && strings.HasPrefix(args[0], "-"):
		fmt.Fprintf(stderr, "usage: tropea testnet %s [DIR]\n", verb)
		return exitUsage
	case len(args) == 1:
		dir = args[0]
	}
	runs, err := findRuns(dir)
	if err == nil {
		if verb == "down" {
			err = down(ctx, runs, stdout)
		} else {
			err = showAll(ctx, runs, stdout)
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "testnet:", err)
		return exitFailure
	}
	return exitOK
}

// down ends a network and returns when it is gone.
func down(ctx context.Context, runs []string, stdout io.Writer) error {
	if len(runs) > 1 {
		return fmt.Errorf("%d test networks run: say which of %s", len(runs), strings.Join(runs, " "))
	}
	dir := runs[0]
	s, err := readStatus(dir)
	if err != nil {
		return err
	}
	p, err := os.FindProcess(s.pid)
	if err == nil {
		err = p.Signal(syscall.SIGTERM)
	}
	if err != nil {
		return fmt.Errorf("process %d: %w", s.pid, err)
	}
	begin := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
		used, err := inUse(dir)
		switch {
		case err != nil:
			return err
		case !used:
			printStage(stdout, "down", time.Since(begin), dir)
			return nil
		case time.Since(begin) > downTimeout:
			return fmt.Errorf("process %d did not end within %v", s.pid, downTimeout)
		}
		timer.Reset(downPoll)
	}
}

var errNotWell = errors.New("not all is well")

func showAll(ctx context.Context, runs []string, stdout io.Writer) error {
	var errs []error
	for i, dir := range runs {
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		s, err := readStatus(dir)
		if err == nil {
			err = s.show(ctx, stdout)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

// show prints the state of a network. Its error is that a node does not run, or that there is no consensus.
func (s *status) show(ctx context.Context, stdout io.Writer) error {
	fmt.Fprintf(stdout, "network      %s, process %d, in %s\n", s.state, s.pid, s.dir)
	if s.state != ready {
		return errNotWell
	}
	var err error
	table := tabwriter.NewWriter(stdout, 13, 8, 2, ' ', 0)
	for _, node := range s.nodes {
		state := "running"
		if !alive(node.pid) {
			state, err = "ended", errNotWell
		}
		fmt.Fprintf(table, "%s\t%s\tprocess %d", node.name, state, node.pid)
		for _, port := range []struct{ name, addr string }{{"or", node.orPort}, {"dir", node.dirPort}, {"socks", node.socks}, {"onion", node.onion}} {
			if port.addr != "" {
				fmt.Fprintf(table, "\t%s %s", port.name, port.addr)
			}
		}
		fmt.Fprintln(table)
	}
	table.Flush()
	for _, node := range s.nodes {
		if node.dirPort == "" {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		flags, e := fetchFlags(ctx, node.dirPort)
		cancel()
		if e != nil {
			err = errNotWell
			fmt.Fprintf(stdout, "consensus    %s: %v\n", node.name, e)
			continue
		}
		fmt.Fprintf(stdout, "consensus    %s: %d relays; tropea inspect http://%s%s\n", node.name, len(flags), node.dirPort, consensusPath)
	}
	return err
}

// alive tells whether there is a process.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && p.Signal(syscall.Signal(0)) == nil
}
