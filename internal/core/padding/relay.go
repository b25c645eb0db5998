package padding

import "time"

// A Relay is the relay's end of a machine on one circuit. It begins with the first cell that goes to the client, which is
// PADDING_NEGOTIATED.
//
//	new → padding → done
type Relay struct {
	machine Machine
	kind    *kind
	ctr     uint32
	state   relayState
	left    int64  // DROP cells to send
	padding uint32 // DROP cells sent
	other   uint32 // other cells that went to the client meanwhile
	next    time.Time
}

type relayState uint8

const (
	relayNew relayState = iota
	relayPadding
	relayDone
)

// NewRelay returns a machine, which must be known. ctr tells it from those before it on the circuit.
func NewRelay(m Machine, ctr uint32) Relay { return Relay{machine: m, kind: m.kind(), ctr: ctr} }

// Ctr returns what tells this machine from those before it on the circuit.
func (r *Relay) Ctr() uint32 { return r.ctr }

// Machine returns which one it is.
func (r *Relay) Machine() Machine { return r.machine }

// Is tells whether a client that names a machine and its count means this one. A count of 0 means any.
func (r *Relay) Is(machine uint8, ctr uint32) bool {
	return Machine(machine) == r.machine && (ctr == 0 || ctr == r.ctr)
}

// Next returns when a cell is due, or the zero Time.
func (r *Relay) Next() time.Time { return r.next }

// Carried notes that n cells other than DROP go to the client.
func (r *Relay) Carried(n int, now time.Time, rnd Rand) {
	r.other += uint32(n)
	switch r.state {
	case relayNew:
		r.state, r.left = relayPadding, r.kind.cells.draw(rnd)
		r.schedule(now, rnd)
	case relayPadding:
		if r.kind.rearm {
			r.schedule(now, rnd)
		}
	}
}

// Fire says what is to be done now that a cell may be due: whether one is, and whether the client is to hear that the machine
// has come to its end. allowed is false if nobody may pad at the moment: that ends the machine, so that no client keeps a
// circuit for what does not come. C tor's waits then for a change that nothing tells it of.
func (r *Relay) Fire(now time.Time, allowed bool, rnd Rand) (drop, stop bool) {
	if r.state != relayPadding || r.next.IsZero() || now.Before(r.next) {
		return false, false
	}
	if allowed && !r.limited() {
		r.left--
		r.padding++
		drop = true
	}
	if !drop || r.left == 0 {
		r.state, r.next = relayDone, time.Time{}
		return drop, r.kind.stops
	}
	r.schedule(now, rnd)
	return drop, false
}

func (r *Relay) schedule(now time.Time, rnd Rand) { r.next = now.Add(r.kind.gap.draw(rnd)) }

// limited tells whether there was so much padding that more would be too much (circpad_machine_reached_padding_limit).
func (r *Relay) limited() bool {
	return r.padding >= r.kind.free && over(uint64(r.padding), uint64(r.other), uint64(r.kind.percent))
}

// over tells whether padding is more than so many percent of all.
func over(padding, other, percent uint64) bool {
	return padding+other > 0 && 100*padding/(padding+other) > percent
}
