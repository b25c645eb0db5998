package ctor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrMissing is the error of a program that is not on this machine.
var ErrMissing = errors.New("program not found")

// sbin are the directories in which distributions install tor and which are not in everyone's PATH.
var sbin = []string{"/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"}

// Find returns the path of tor or one of its tools. A name with a slash is taken as it is.
func Find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	if filepath.Base(program) == program {
		for _, dir := range sbin {
			if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
				return path, nil
			}
		}
		return "", fmt.Errorf("%s is not in PATH: install the Debian package tor (apt install tor): %w", program, ErrMissing)
	}
	return "", fmt.Errorf("%w: %w", ErrMissing, err)
}

// TB is the part of testing.TB that [Require] needs.
type TB interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
}

// Require skips the test if a program is missing, and says why. With TROPEA_REQUIRE_PEERS=1 in the environment the test
// fails instead, so that a build farm cannot lose its peers without anyone noticing.
func Require(t TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		switch _, err := Find(program); {
		case err == nil:
		case os.Getenv("TROPEA_REQUIRE_PEERS") == "1":
			t.Fatal(err)
		default:
			t.Skip(err)
		}
	}
}
