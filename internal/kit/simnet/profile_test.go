package simnet_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
)

// profile measures until the func that it returns is called, which logs what the time of the processor has gone into: under -v,
// and if no profile is being made already.
func profile(t *testing.T) (stop func()) {
	var data bytes.Buffer
	if !testing.Verbose() || pprof.StartCPUProfile(&data) != nil {
		return func() {}
	}
	return func() {
		pprof.StopCPUProfile()
		file := filepath.Join(t.TempDir(), "cpu")
		if err := os.WriteFile(file, data.Bytes(), 0o600); err != nil {
			t.Error(err)
			return
		}
		out, err := exec.Command("go", "tool", "pprof", "-top", "-cum", "-show", "tropea/internal/|gcBgMarkWorker|mcall", file).Output()
		if err != nil {
			t.Logf("no profile: %v", err)
			return
		}
		t.Log("CPU by kind, with all that it calls:\n" + strings.Join(strings.SplitAfterN(string(out), "\n", 32)[3:31], ""))
	}
}
