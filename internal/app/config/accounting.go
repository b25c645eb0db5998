package config

import (
	"fmt"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Accounting bounds what is used in a period of time.
type Accounting struct {
	Max   uint64 // bytes; 0 for no accounting
	Rule  AccountingRule
	Start AccountingStart
}

// AccountingRule says what counts.
type AccountingRule uint8

// The rules.
const (
	AccountMax AccountingRule = iota // the larger of both directions
	AccountSum
	AccountIn
	AccountOut
)

// AccountingStart says when periods begin, in local time.
type AccountingStart struct {
	Unit         AccountingUnit
	Day          int // of the month, 1 to 28, or of the week, 1 (Monday) to 7; 0 if the unit is a day
	Hour, Minute int
}

// AccountingUnit is how long a period is.
type AccountingUnit uint8

// The units.
const (
	AccountMonth AccountingUnit = iota
	AccountWeek
	AccountDay
)

func newAccounting(v *Values) (a Accounting, err error) {
	a.Max = v.Uint64("AccountingMax")
	switch v.String("AccountingRule") { // words has them all
	case "sum":
		a.Rule = AccountSum
	case "in":
		a.Rule = AccountIn
	case "out":
		a.Rule = AccountOut
	}
	a.Start = AccountingStart{Unit: AccountMonth, Day: 1}
	if s := v.String("AccountingStart"); s != "" {
		if a.Start, err = parseAccountingStart(s); err != nil {
			return a, v.at("AccountingStart").Errorf("%w", err)
		}
	}
	return a, nil
}

// parseAccountingStart parses "month DAY HH:MM", "week DAY HH:MM" or "day HH:MM".
func parseAccountingStart(s string) (a AccountingStart, err error) {
	fields := strings.Fields(s)
	if len(fields) == 0 {
		return a, errAccountingStart
	}
	unit, fields := fields[0], fields[1:]
	days := 0
	switch fold(unit) {
	case "month":
		a.Unit, days = AccountMonth, 28
	case "week":
		a.Unit, days = AccountWeek, 7 // from 1, Monday
	case "day":
		a.Unit = AccountDay
	default:
		return a, errAccountingStart
	}
	if days > 0 && len(fields) > 0 {
		if a.Day, err = torrc.Int(fields[0], 1, days); err != nil {
			return a, fmt.Errorf("day of the %s: %w", unit, err)
		}
		fields = fields[1:]
	}
	if len(fields) != 1 || days > 0 && a.Day == 0 {
		return a, errAccountingStart
	}
	hour, minute, ok := strings.Cut(fields[0], ":")
	if !ok {
		return a, errAccountingStart
	}
	if a.Hour, err = torrc.Int(hour, 0, 23); err != nil {
		return a, fmt.Errorf("hour: %w", err)
	}
	if a.Minute, err = torrc.Int(minute, 0, 59); err != nil {
		return a, fmt.Errorf("minute: %w", err)
	}
	return a, nil
}

var errAccountingStart = fmt.Errorf("want %q, %q or %q", "month DAY HH:MM", "week DAY HH:MM", "day HH:MM")
