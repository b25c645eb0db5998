package accounting

import "time"

// Config is what an operator chooses, and what the Account has to know of its surroundings. The zero Config accounts for
// nothing.
type Config struct {
	Max   uint64 // bytes in an interval (AccountingMax); 0 for no accounting
	Rule  Rule   // what counts (AccountingRule)
	Start Start  // when intervals begin (AccountingStart)

	// Rate is the most that can be used in each direction, in bytes per second: RelayBandwidthRate, or else BandwidthRate.
	// 0 is no limit.
	Rate uint64

	// Identity decides when in an interval to wake up. It is the fingerprint of the relay's RSA identity; who has none, such
	// as a client, takes random bytes.
	Identity [20]byte

	Zone *time.Location             // of Start; nil is time.Local
	Log  func(l Level, text string) // gets what the log should say; may be nil
}

// Rule says which bytes count.
type Rule uint8

// The rules.
const (
	RuleMax Rule = iota // the larger of both directions
	RuleSum
	RuleIn
	RuleOut
)

// Start says when intervals begin. The zero Start is the first of the month at midnight.
type Start struct {
	Unit         Unit
	Day          int // of the month, 1 to 28, or of the week, 1 (Monday) to 7; 0 is 1
	Hour, Minute int
}

// Unit is how long an interval is.
type Unit uint8

// The units.
const (
	Month Unit = iota
	Week
	Day
)

// Level is how much a text matters to operators.
type Level uint8

// The levels, which are C tor's.
const (
	Info Level = iota
	Notice
	Warn
)

// valid returns c with nothing left out or out of range.
func (c Config) valid() Config {
	if c.Zone == nil {
		c.Zone = time.Local
	}
	if c.Log == nil {
		c.Log = func(Level, string) {}
	}
	last := 28
	if c.Start.Unit == Week {
		last = 7
	}
	s := &c.Start
	s.Day, s.Hour, s.Minute = min(max(s.Day, 1), last), min(max(s.Hour, 0), 23), min(max(s.Minute, 0), 59)
	return c
}
