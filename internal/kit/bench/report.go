package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"
)

// A report is the outcome of a run. Its JSON form is for scripts.
type report struct {
	Command    string        `json:"command"`
	Begun      time.Time     `json:"begun"`
	Took       float64       `json:"took_seconds"`
	Machine    string        `json:"machine"`
	Peer       string        `json:"peer,omitempty"`
	Ours       string        `json:"ours"`
	Rounds     int           `json:"rounds"`
	Quantities []measurement `json:"quantities"`
}

// A measurement is what came out for one quantity.
type measurement struct {
	Name   string       `json:"name"`
	Unit   string       `json:"unit"`
	Peer   *summary     `json:"peer,omitempty"`
	Ours   *summary     `json:"ours,omitempty"`
	Ratio  *summary     `json:"ratio,omitempty"` // ours to theirs, round by round
	Goal   string       `json:"goal,omitempty"`
	Met    *bool        `json:"met,omitempty"`
	Values [2][]float64 `json:"values"` // theirs and ours, round by round
}

func newReport(command string, rounds int, begun time.Time, programs [2]program, r *results) *report {
	rep := &report{
		Command: command, Rounds: rounds, Begun: begun.UTC(), Took: time.Since(begun).Seconds(),
		Machine: fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
		Peer:    programs[theirs].version, Ours: programs[ours].version,
	}
	for _, q := range r.order {
		both := r.values[q]
		m := measurement{
			Name: q.name, Unit: q.unit, Goal: q.goal.String(), Values: *both,
			Peer: summarize(both[theirs]), Ours: summarize(both[ours]), Ratio: summarize(ratios(both)),
		}
		if met, known := q.goal.met(m.Ours, m.Ratio); known {
			m.Met = &met
		}
		rep.Quantities = append(rep.Quantities, m)
	}
	return rep
}

// write prints the table, and writes the JSON if it has a name.
func (r *report) write(stdout io.Writer, jsonFile string) error {
	r.table(stdout)
	if jsonFile == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(jsonFile, append(b, '\n'), 0o644)
}

func (r *report) table(w io.Writer) {
	fmt.Fprintf(w, "peer: %s\nours: %s\nmedians of %d rounds (min to max), %s, %.0f s\n\n", r.Peer, r.Ours, r.Rounds, r.Machine, r.Took)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "quantity\tunit\tpeer\tours\tratio\tgoal\t")
	for _, m := range r.Quantities {
		verdict := ""
		if m.Met != nil {
			verdict = map[bool]string{true: " met", false: " MISSED"}[*m.Met]
		}
		fmt.Fprintf(t, "%s\t%s\t%v\t%v\t%v\t%s%s\t\n", m.Name, m.Unit, m.Peer, m.Ours, m.Ratio, m.Goal, verdict)
	}
	t.Flush()
}

// String is the median and, if values differ, their range.
func (s *summary) String() string {
	switch {
	case s == nil:
		return "-"
	case s.Min == s.Max:
		return short(s.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", short(s.Median), short(s.Min), short(s.Max))
}

// short has three digits that count.
func short(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
