package torrc

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A unit is a factor and the names that it goes by, in lower case.
type unit struct {
	factor uint64
	names  string
}

// All sizes are powers of two, those in bits too.
var memUnits = []unit{
	{1, "b byte bytes"},
	{1 << 7, "kbit kbits kilobit kilobits"},
	{1 << 10, "kb kbyte kbytes kilobyte kilobytes"},
	{1 << 17, "mbit mbits megabit megabits"},
	{1 << 20, "m mb mbyte mbytes megabyte megabytes"},
	{1 << 27, "gbit gbits gigabit gigabits"},
	{1 << 30, "gb gbyte gbytes gigabyte gigabytes"},
	{1 << 37, "tbit tbits terabit terabits"},
	{1 << 40, "tb tbyte tbytes terabyte terabytes"},
}

const day = 24 * 60 * 60

// Seconds. A month is some 30.437 days.
var timeUnits = []unit{
	{1, "second seconds"},
	{60, "minute minutes"},
	{60 * 60, "hour hours"},
	{day, "day days"},
	{7 * day, "week weeks"},
	{2629728, "month months"},
}

// Milliseconds.
var msecUnits = []unit{
	{1, "msec millisecond milliseconds"},
	{1000, "second seconds"},
	{60 * 1000, "minute minutes"},
	{60 * 60 * 1000, "hour hours"},
	{day * 1000, "day days"},
	{7 * day * 1000, "week weeks"},
}

// MemUnit parses an amount of data, such as "10 MBytes" or "500 kbit", into bytes. Without a unit it is in bytes. The
// result is at most math.MaxInt64.
func MemUnit(s string) (uint64, error) { return parseUnits(s, memUnits, math.MaxInt64) }

// Interval parses a length of time in whole seconds, such as "2 days". Without a unit it is in seconds.
func Interval(s string) (time.Duration, error) {
	n, err := parseUnits(s, timeUnits, math.MaxInt32)
	return time.Duration(n) * time.Second, err
}

// MsecInterval parses a length of time in milliseconds, such as "100 msec". Without a unit it is in milliseconds.
func MsecInterval(s string) (time.Duration, error) {
	n, err := parseUnits(s, msecUnits, math.MaxInt32)
	return time.Duration(n) * time.Millisecond, err
}

// parseUnits parses a number, which may have a fraction, and a unit behind it.
func parseUnits(s string, units []unit, limit uint64) (uint64, error) {
	s = strings.Trim(s, spaces)
	digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
	factor, err := factorOf(strings.Trim(s[digits:], spaces), units)
	if digits == 0 {
		err = fmt.Errorf("%q does not begin with a number", s)
	}
	if err != nil {
		return 0, err
	}
	if !strings.Contains(s[:digits], ".") {
		n, err := strconv.ParseUint(s[:digits], 10, 64)
		if err != nil || n > limit/factor {
			return 0, fmt.Errorf("%q is too large", s)
		}
		return n * factor, nil
	}
	f, err := strconv.ParseFloat(s[:digits], 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s[:digits])
	}
	if f *= float64(factor); f >= float64(limit) {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return uint64(f), nil
}

func factorOf(name string, units []unit) (uint64, error) {
	if name == "" {
		return 1, nil
	}
	known := make([]string, len(units))
	for i, u := range units {
		for n := range strings.FieldsSeq(u.names) {
			if strings.EqualFold(n, name) {
				return u.factor, nil
			}
			known[i] = n // the last is the plural
		}
	}
	return 0, fmt.Errorf("unknown unit %q: use one of %s", name, strings.Join(known, ", "))
}
