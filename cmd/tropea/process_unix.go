//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tropea-net/tropea/internal/app/config"
)

const (
	sigHUP  = syscall.SIGHUP
	sigUSR1 = syscall.SIGUSR1
	sigUSR2 = syscall.SIGUSR2
)

// handled are the signals that mean something to us. SIGPIPE and SIGXFSZ are errors of a write here, as they should be.
var handled = []os.Signal{os.Interrupt, syscall.SIGTERM, sigHUP, sigUSR1, sigUSR2, syscall.SIGPIPE, syscall.SIGXFSZ}

// processLives tells whether there is a process of that ID.
func processLives(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// becomeUser gives up the rights of root for those of a user.
func becomeUser(name string) error {
	if name == "" {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("option User: %w", err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("option User: %w", err)
	}
	if os.Geteuid() == uid {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("option User: only root can become %s", name)
	}
	groups := []int{gid}
	if ids, err := u.GroupIds(); err == nil {
		for _, id := range ids {
			if n, err := strconv.Atoi(id); err == nil && n != gid {
				groups = append(groups, n)
			}
		}
	}
	if err := errors.Join(syscall.Setgroups(groups), syscall.Setgid(gid), syscall.Setuid(uid)); err != nil {
		return fmt.Errorf("cannot become user %s: %w", name, err)
	}
	if syscall.Setuid(0) == nil && uid != 0 {
		return fmt.Errorf("became user %s and could become root again", name)
	}
	return nil
}

const daemonVar = "TROPEA_DAEMON_FD"

// errParent says that another process does the work.
var errParent = errors.New("the daemon runs in the background")

// becomeDaemon starts this program again in a session of its own, and waits until that has begun to serve. Go cannot
// fork: the runtime's threads would be lost. stdin is what has been read of standard input.
func becomeDaemon(cfg *config.Config, stdin []byte) error {
	if !cfg.Client.Process.RunAsDaemon || os.Getenv(daemonVar) != "" {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	child := exec.Command(self, os.Args[1:]...)
	child.Args[0] = os.Args[0]
	child.Env = append(os.Environ(), daemonVar+"=3")
	child.ExtraFiles = []*os.File{w}
	child.Stdin, child.Stdout, child.Stderr = bytes.NewReader(stdin), os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return fmt.Errorf("cannot start in the background: %w", err)
	}
	w.Close()
	var ok [1]byte
	if n, _ := r.Read(ok[:]); n == 1 {
		return errParent
	}
	if err := child.Wait(); err != nil {
		return fmt.Errorf("the daemon did not start (%w); its log says why", err)
	}
	return errParent // it was told to end before it had begun
}

// daemonReady tells the process that waits in becomeDaemon that all is well.
func daemonReady() {
	fd, err := strconv.Atoi(os.Getenv(daemonVar))
	if err != nil {
		return
	}
	os.Unsetenv(daemonVar)
	// Whoever reads what the starting process writes waits for the last one that can write there.
	if null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0); err == nil {
		for std := range 3 {
			unix.Dup2(int(null.Fd()), std)
		}
		null.Close()
	}
	f := os.NewFile(uintptr(fd), "daemon pipe")
	f.Write([]byte{1})
	f.Close()
}

// inherited tells whether a file descriptor came from the process that started this one. What Go's runtime and library have
// opened is marked to be closed at the next exec, and no such descriptor can have come through one.
func inherited(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}

// openTerminal opens the terminal of this process, whatever its standard input and output are.
func openTerminal() (in, out *os.File, err error) {
	if in, err = os.OpenFile("/dev/tty", os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	return in, in, nil
}
