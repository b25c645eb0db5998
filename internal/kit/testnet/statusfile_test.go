package testnet

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadStatus(t *testing.T) {
	const head = "pid 4711\ndir /elsewhere\nstate ready\n"
	for _, tt := range []struct {
		name, text string
		want       *status
	}{
		{"whole", head + "node authority1 4712 127.0.0.1:1 127.0.0.1:2 -\nnode onion1 4713 - - -\nsocks 127.0.0.1:3\nonion onion1 abc.onion\nonion onion2 none.onion\nurl http://page.test/\n", &status{
			pid: 4711, state: ready, nodes: []nodeStatus{
				{name: "authority1", pid: 4712, orPort: "127.0.0.1:1", dirPort: "127.0.0.1:2"}, {name: "onion1", pid: 4713, onion: "abc.onion"},
			},
		}},
		{"of a later version", head + "weather fine\n", &status{pid: 4711, state: ready}},
		{"empty", "", nil},
		{"no state", "pid 4711\n", nil},
		{"everybody", "pid 1\nstate ready\n", nil},
		{"process group", "pid -5\nstate ready\n", nil},
		{"number", "pid x\nstate ready\n", nil},
		{"number of a node", head + "node a x - - -\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, statusName), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readStatus(dir)
			if tt.want == nil {
				if !errors.Is(err, errStatus) {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			tt.want.dir = dir
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(status{}, nodeStatus{})); err != nil || diff != "" {
				t.Errorf("%v, difference (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestTendNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, args := range []string{"status", "down", "down " + t.TempDir(), "status nowhere"} {
		var stdout, stderr bytes.Buffer
		if code := Main(context.Background(), strings.Fields(args), &stdout, &stderr); code != exitFailure || stdout.Len() > 0 || stderr.Len() == 0 {
			t.Errorf("%s: exit code %d, output %q, %q", args, code, &stdout, &stderr)
		}
	}
	if code := Main(context.Background(), []string{"down", "--all"}, new(bytes.Buffer), new(bytes.Buffer)); code != exitUsage {
		t.Errorf("exit code %d, want that of a wrong usage", code)
	}
}

// A meter that is not at a terminal writes whole lines only.
func TestMeter(t *testing.T) {
	var b bytes.Buffer
	m := newMeter(&b)
	m.begin("keys", 0, 2)
	m.done("keys", 1500000000)
	m.begin("relays", 1, 2)
	m.end()
	if got, want := b.String(), "keys           1.50 s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
