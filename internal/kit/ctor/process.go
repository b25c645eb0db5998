package ctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrEnded is the error of waiting for a process that has ended.
var ErrEnded = errors.New("process ended")

const (
	// stopTimeout is how long a process has to end after SIGTERM.
	stopTimeout = 10 * time.Second
	// drainTimeout bounds the wait for output that a child of the process still holds open.
	drainTimeout = 2 * time.Second
	// quoted is how much of the end of a log an error quotes, in bytes.
	quoted = 2048
)

// Config describes a process.
type Config struct {
	Name  string   // for errors
	Bin   string   // a program with C tor's command line
	Dir   string   // made if need be
	Torrc Torrc    // DataDirectory is added
	Env   []string // what the environment has besides our own, as in exec.Cmd
}

// A Process is one run of a program. Its methods are safe for concurrent use.
type Process struct {
	cfg   Config
	cmd   *exec.Cmd
	log   *logFile
	begin int64         // where this run begins in the log
	done  chan struct{} // closed when the process has been reaped
	err   error         // how it ended; anyone may read it once done is closed
}

// DataDir is where a process in dir keeps its DataDirectory.
func DataDir(dir string) string { return filepath.Join(dir, "data") }

// LogPath is the log of the processes in dir.
func LogPath(dir string) string { return filepath.Join(dir, "log") }

// Start writes the torrc and starts the process. It runs until Stop, Kill, its own end, or the end of this process.
func Start(cfg Config) (*Process, error) {
	p, err := start(cfg)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cfg.Name, err)
	}
	return p, nil
}

func start(cfg Config) (*Process, error) {
	// A relative path would mean something else to a process that changes its directory.
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	if err := os.MkdirAll(DataDir(dir), 0o700); err != nil {
		return nil, err
	}
	torrcPath := filepath.Join(dir, "torrc")
	var torrc Torrc
	torrc.Add("DataDirectory", DataDir(dir))
	if err := append(torrc, cfg.Torrc...).write(torrcPath); err != nil {
		return nil, err
	}
	log, err := openLog(LogPath(dir))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(cfg.Bin, "-f", torrcPath, "__OwningControllerProcess", strconv.Itoa(os.Getpid()))
	cmd.Dir = dir
	if len(cfg.Env) > 0 {
		cmd.Env = append(os.Environ(), cfg.Env...)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = drainTimeout
	p := &Process{cfg: cfg, cmd: cmd, log: log, done: make(chan struct{})}
	p.begin, _ = log.state()
	if err := startTied(cmd); err != nil {
		log.close()
		return nil, err
	}
	go p.reap()
	return p, nil
}

// reap waits for the end of the process. Stop and Kill wait for it.
func (p *Process) reap() {
	defer close(p.done)
	p.err = p.cmd.Wait()
	if err := p.log.close(); p.err == nil {
		p.err = err
	}
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the process ended: nil for exit code 0. It is for use after Done.
func (p *Process) Err() error { return p.err }

// Wait returns the first log line of this run that matches, or an error that quotes the end of the log.
func (p *Process) Wait(ctx context.Context, pattern *regexp.Regexp) (string, error) {
	return p.wait(ctx, pattern, strconv.Quote(pattern.String()))
}

// wait is Wait for what errors call what.
func (p *Process) wait(ctx context.Context, pattern *regexp.Regexp, what string) (string, error) {
	line, err := p.log.wait(ctx, p.begin, pattern, p.done)
	switch {
	case err == nil:
		return line, nil
	case errors.Is(err, errLogEnded):
		err = fmt.Errorf("%w (%v)", ErrEnded, p.err)
	}
	return "", fmt.Errorf("%s: wait for %s: %w; its log ends with:\n%s", p.cfg.Name, what, err, p.logTail())
}

// WaitBootstrap returns when the process has logged a bootstrap of at least percent. At 0 its ports are open.
func (p *Process) WaitBootstrap(ctx context.Context, percent int) error {
	_, err := p.wait(ctx, bootstrapLine(percent), fmt.Sprintf("a bootstrap of %d %%", percent))
	return err
}

// bootstrapLine matches a log line about a bootstrap of at least percent.
func bootstrapLine(percent int) *regexp.Regexp {
	var enough []string
	for p := percent; p <= 100; p++ {
		enough = append(enough, strconv.Itoa(p))
	}
	return regexp.MustCompile(`\[notice\] .*Bootstrapped (?:` + strings.Join(enough, "|") + `)%`)
}

// Log is what all processes in the directory wrote so far.
func (p *Process) Log() (string, error) {
	b, err := os.ReadFile(p.log.path)
	return string(b), err
}

// logTail is the end of this run's log, whole lines.
func (p *Process) logTail() string {
	text, err := p.Log()
	if err != nil {
		return err.Error()
	}
	text = text[min(int(p.begin), len(text)):]
	if len(text) > quoted {
		_, text, _ = strings.Cut(text[len(text)-quoted:], "\n")
	}
	return text
}

// Stop ends the process by SIGTERM, at which it saves its state, or kills it where there are no signals and when it takes
// too long. It returns when the process has been reaped. Stopping a process that has ended does nothing. Only for a program
// of ours is it an error not to end in time: C tor leaves a SIGTERM unheard now and then when the machine is busy, and no
// test of ours is to fail for that.
func (p *Process) Stop() error {
	switch err := p.cmd.Process.Signal(syscall.SIGTERM); {
	case errors.Is(err, os.ErrProcessDone):
		<-p.done
		return nil
	case err != nil:
		p.Kill()
		return nil
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		p.Kill()
		if !IsTropea(p.cfg.Bin) {
			return nil
		}
		return fmt.Errorf("%s: did not end within %v of SIGTERM and was killed", p.cfg.Name, stopTimeout)
	}
}

// Kill ends the process, and its children where the system has process groups, at once, and reaps it.
func (p *Process) Kill() {
	kill(p.cmd.Process)
	<-p.done
}
