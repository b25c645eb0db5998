package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// inTurns measures both programs in all rounds, each time in a directory that is not there yet, and reports the results.
func (c *common) inTurns(command string, stdout, stderr io.Writer, measure func(s side, p program, dir string) ([]value, error)) (err error) {
	begun := time.Now()
	programs, err := c.programs()
	if err != nil {
		return err
	}
	root, err := os.MkdirTemp("", "tropea-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	var r results
	for round := range c.rounds {
		for _, s := range order(round) {
			fmt.Fprintf(stderr, "round %d of %d: %v\n", round+1, c.rounds, s)
			values, err := measure(s, programs[s], filepath.Join(root, fmt.Sprintf("%v%d", s, round)))
			if err != nil {
				return fmt.Errorf("%v: %w", s, err)
			}
			r.add(s, values)
		}
	}
	return newReport(command, c.rounds, begun, programs, &r).write(stdout, c.json)
}
