package padding

import "time"

// A Machine is a pair of state machines, as PADDING_NEGOTIATE names it.
type Machine uint8

// The machines. C tor numbers them in the order in which it registers them (circpad_machines_init).
const (
	Intro Machine = 0 // of a circuit to an introduction point
	Rend  Machine = 1 // of a circuit to a rendezvous point
)

// String is the name in logs.
func (m Machine) String() string {
	if k := m.kind(); k != nil {
		return k.name
	}
	return "unknown"
}

// Known tells whether there is such a machine.
func (m Machine) Known() bool { return m.kind() != nil }

func (m Machine) kind() *kind {
	if int(m) < len(kinds) {
		return &kinds[m]
	}
	return nil
}

// span is a range to draw from, the end of which is not in it.
type span[T ~int64] struct{ from, to T }

func (s span[T]) draw(rnd Rand) T { return s.from + T(rnd(int64(s.to-s.from))) }

// Rand draws a number below n, each as likely as the other.
type Rand func(n int64) int64

// kind says what a machine does at the relay.
type kind struct {
	name    string
	cells   span[int64]         // DROP cells
	gap     span[time.Duration] // from the last cell to the next
	free    uint32              // DROP cells before percent counts
	percent uint32              // of all cells of the circuit to the client that may be DROP
	rearm   bool                // other cells to the client begin the gap anew
	stops   bool                // the client hears when all cells are out
}

// kinds are C tor's (circuitpadding_machines.c). The specification has 7 to 10 cells: C tor draws a real number from there
// and leaves out what is behind the point, which comes to 7 to 9.
var kinds = [...]kind{
	Intro: {
		name: "introduction", cells: span[int64]{7, 10}, gap: span[time.Duration]{time.Millisecond, 10 * time.Millisecond},
		free: 10, percent: 1, rearm: true, stops: true,
	},
	Rend: {
		name: "rendezvous", cells: span[int64]{1, 2}, gap: span[time.Duration]{0, time.Millisecond},
		free: 1, percent: 1,
	},
}

// ClientGap draws how long after PADDING_NEGOTIATE the client's one DROP of a rendezvous circuit leaves.
func ClientGap(rnd Rand) time.Duration { return kinds[Rend].gap.draw(rnd) }
