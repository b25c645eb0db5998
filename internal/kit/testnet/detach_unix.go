//go:build unix

package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// reportEnv tells a process that it is the detached one, and on which descriptor it reports how its start comes along.
const reportEnv = "TROPEA_TESTNET_REPORT"

// reportDone ends a report whose network is ready.
const reportDone = 0x04

var errDetached = errors.New("the network did not come up")

// detach starts this program again, in a session of its own, with the same arguments, and returns when the network there is
// ready, or has failed.
func detach(ctx context.Context, args []string, stdout io.Writer) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(exe, append([]string{"testnet"}, args...)...)
	cmd.ExtraFiles = []*os.File{w} // descriptor 3
	cmd.Env = append(os.Environ(), reportEnv+"=3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		if text, _, done := bytes.Cut(buf[:n], []byte{reportDone}); done {
			stdout.Write(text)
			return cmd.Process.Release()
		}
		stdout.Write(buf[:n])
		if err != nil {
			cmd.Wait()
			return errDetached
		}
	}
}

// openReport is where a detached process reports; nil if this is none. What this process starts does not inherit it.
func openReport() (*os.File, error) {
	text, ok := os.LookupEnv(reportEnv)
	if !ok {
		return nil, nil
	}
	os.Unsetenv(reportEnv)
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s=%s: no descriptor", reportEnv, text)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "report"), nil
}
