package bench

import "fmt"

// A goal is what the median of a quantity is to reach. The zero goal is none.
type goal struct {
	kind  goalKind
	bound float64
}

type goalKind uint8

const (
	noGoal       goalKind = iota
	ratioAtMost           // of the ratio, ours to theirs
	ratioAtLeast          // the same
	oursAtMost            // of our own value
)

func (g goal) String() string {
	switch g.kind {
	case ratioAtMost:
		return fmt.Sprintf("<= %.1fx", g.bound)
	case ratioAtLeast:
		return fmt.Sprintf(">= %.1fx", g.bound)
	case oursAtMost:
		return fmt.Sprintf("<= %g", g.bound)
	}
	return ""
}

// met tells whether the goal is reached, if there is one and what it asks for was measured.
func (g goal) met(own, ratio *summary) (met, known bool) {
	switch {
	case g.kind == ratioAtMost && ratio != nil:
		return ratio.Median <= g.bound, true
	case g.kind == ratioAtLeast && ratio != nil:
		return ratio.Median >= g.bound, true
	case g.kind == oursAtMost && own != nil:
		return own.Median <= g.bound, true
	}
	return false, false
}
