//go:build unix

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	ownerPoll = 50 * time.Millisecond
	testscript.Main(m, map[string]func(){"tropea": main})
}

// closedNetwork is a network whose only authority is a closed port of this machine: no test may reach the public one.
const closedNetwork = `DirAuthority nobody orport=1 v3ident=0000000000000000000000000000000000000001 127.0.0.1:1 0000000000000000000000000000000000000001
`

// TestScript runs the scripts in test/script. They find in $WORK a file "closed" to %include, which keeps them off the
// public network, and an empty file "none" for --defaults-torrc; $USED is a port in use, $PORT1 to $PORT3 are free, and
// so is $LOWPORT, which is one that only root may open.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("..", "..", "test", "script"),
		Setup: func(env *testscript.Env) error {
			used, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { used.Close() })
			env.Setenv("USED", portOf(used))
			for i := range 3 {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				defer l.Close() // all are held until all are known
				env.Setenv(fmt.Sprintf("PORT%d", i+1), portOf(l))
			}
			if os.Getuid() == 0 {
				env.Setenv("LOWPORT", lowPort())
			}
			env.Setenv("PID", strconv.Itoa(os.Getpid()))
			env.Setenv("HOME", env.WorkDir)
			return errors.Join(
				os.WriteFile(filepath.Join(env.WorkDir, "closed"), []byte(closedNetwork), 0o600),
				os.WriteFile(filepath.Join(env.WorkDir, "none"), nil, 0o600))
		},
		Condition: func(cond string) (bool, error) {
			if cond != "root" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return os.Getuid() == 0, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"waitfor": waitfor, "send": send, "dial": dial, "filemode": filemode,
		},
	})
}

func portOf(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }

// lowPort returns a free port below 1024.
func lowPort() string {
	for port := 1023; port > 600; port-- {
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			defer l.Close()
			return portOf(l)
		}
	}
	return "0"
}

// patience is how long scripts wait for what must come.
const patience = 30 * time.Second

// until polls ok.
func until(ts *testscript.TestScript, what string, ok func() bool) {
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited too long for %s", what)
		}
	}
}

// waitfor waits until a file is there and has a line that matches.
//
//	waitfor file [regexp]
func waitfor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: waitfor file [regexp]")
	}
	re := regexp.MustCompile("(?m)" + strings.Join(args[1:], ""))
	var last string
	until(ts, fmt.Sprintf("%s to have %q", args[0], args[1:]), func() bool {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		last = string(b)
		return err == nil && re.MatchString(last)
	})
}

// send sends a signal to the process whose ID is in a file, and with KILL waits until it is gone. It waits until the file
// names a process: a program writes it after it has opened its ports.
//
//	[!] send signal pidfile
func send(ts *testscript.TestScript, neg bool, args []string) {
	sig, ok := map[string]syscall.Signal{
		"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
		"KILL": syscall.SIGKILL, "0": 0,
	}[args[0]]
	if !ok || len(args) != 2 {
		ts.Fatalf("usage: send signal pidfile")
	}
	var pid int
	try := func() bool {
		b, err := os.ReadFile(ts.MkAbs(args[1]))
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		return err == nil && syscall.Kill(pid, sig) == nil
	}
	if neg {
		if try() {
			ts.Fatalf("process %d is there", pid)
		}
		return
	}
	until(ts, "a process to signal, in "+args[1], try)
}

// dial waits until a port accepts connections, or with ! until it does not.
//
//	[!] dial port
func dial(ts *testscript.TestScript, neg bool, args []string) {
	until(ts, "port "+args[0], func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+args[0])
		if err == nil {
			c.Close()
		}
		return neg == (err != nil)
	})
}

// filemode checks the permissions of a file.
//
//	filemode 0700 file
func filemode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
