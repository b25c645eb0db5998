package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQuantile(t *testing.T) {
	for _, tt := range []struct {
		name string
		list []float64
		q    float64
		want float64
	}{
		{"one", []float64{7}, 0.95, 7},
		{"odd", []float64{3, 1, 2}, 0.5, 2},
		{"between", []float64{4, 1, 2, 3}, 0.5, 2.5},
		{"first", []float64{2, 1}, 0, 1},
		{"last", []float64{2, 1}, 1, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := quantile(tt.list, tt.q); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestGoals(t *testing.T) {
	own, ratio := &summary{Median: 50}, &summary{Median: 0.9}
	for _, tt := range []struct {
		name        string
		goal        goal
		own, ratio  *summary
		met, known  bool
		description string
	}{
		{"none", goal{}, own, ratio, false, false, ""},
		{"ratio low enough", goal{ratioAtMost, 0.9}, own, ratio, true, true, "<= 0.9x"},
		{"ratio too high", goal{ratioAtMost, 0.6}, own, ratio, false, true, "<= 0.6x"},
		{"ratio high enough", goal{ratioAtLeast, 0.9}, own, ratio, true, true, ">= 0.9x"},
		{"ratio too low", goal{ratioAtLeast, 1}, own, ratio, false, true, ">= 1.0x"},
		{"no ratio", goal{ratioAtLeast, 1}, own, nil, false, false, ">= 1.0x"},
		{"value low enough", goal{oursAtMost, 60}, own, nil, true, true, "<= 60"},
		{"value too high", goal{oursAtMost, 40}, own, nil, false, true, "<= 40"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			met, known := tt.goal.met(tt.own, tt.ratio)
			if met != tt.met || known != tt.known || tt.goal.String() != tt.description {
				t.Errorf("%v: met %v, known %v; want %v, %v", tt.goal, met, known, tt.met, tt.known)
			}
		})
	}
}

// TestReport gives three rounds to each side, the ratio of one of which does not exist.
func TestReport(t *testing.T) {
	speed, cpu := quantity{"speed", "MiB/s", goalThroughput}, quantity{"CPU", "s/GiB", goalCPU}
	var r results
	r.add(theirs, []value{{speed, 100}, {cpu, 8}})
	r.add(ours, []value{{speed, 150}, {cpu, 4}})
	r.add(ours, []value{{speed, 50}, {cpu, 6}})
	r.add(theirs, []value{{speed, 100}, {cpu, 0}})
	r.add(theirs, []value{{speed, 200}, {cpu, 8}})
	r.add(ours, []value{{speed, 180}, {cpu, 8}})
	rep := newReport("client", 3, time.Now(), [2]program{{version: "Tor"}, {version: "Tropea"}}, &r)
	file := filepath.Join(t.TempDir(), "report")
	var out bytes.Buffer
	if err := rep.write(&out, file); err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(out.String(), "\n\n")
	var got []string
	for line := range strings.Lines(table) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"quantity unit peer ours ratio goal",
		"speed MiB/s 100 (100 to 200) 150 (50.0 to 180) 0.90 (0.50 to 1.50) >= 1.0x MISSED",
		"CPU s/GiB 8.00 (0.00 to 8.00) 6.00 (4.00 to 8.00) 0.75 (0.50 to 1.00) <= 0.6x MISSED",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var read report
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*rep, read); diff != "" {
		t.Errorf("JSON (-written +read):\n%s", diff)
	}
}
