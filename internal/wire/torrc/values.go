package torrc

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// AutoBool is a boolean that may leave the choice to the program.
type AutoBool int8

const (
	Auto AutoBool = iota - 1
	No
	Yes
)

// Or returns the choice, or auto if there is none.
func (a AutoBool) Or(auto bool) bool {
	if a == Auto {
		return auto
	}
	return a == Yes
}

func (a AutoBool) String() string {
	if a == Auto {
		return "auto"
	}
	return strconv.Itoa(int(a))
}

// Bool parses "0" or "1".
func Bool(s string) (bool, error) {
	switch s {
	case "0", "1":
		return s == "1", nil
	}
	return false, fmt.Errorf("unrecognized value %q: allowed values are 0 and 1", s)
}

// ParseAutoBool parses "0", "1" or "auto".
func ParseAutoBool(s string) (AutoBool, error) {
	if strings.EqualFold(s, "auto") {
		return Auto, nil
	}
	b, err := Bool(s)
	switch {
	case err != nil:
		return Auto, fmt.Errorf("unrecognized value %q: allowed values are 0, 1 and auto", s)
	case b:
		return Yes, nil
	}
	return No, nil
}

// Int parses a decimal number from lo to hi.
func Int(s string, lo, hi int) (int, error) {
	n, err := strconv.ParseInt(s, 10, 0)
	if err != nil || int(n) < lo || int(n) > hi {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d", s, lo, hi)
	}
	return int(n), nil
}

// Float parses a finite number.
func Float(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return f, nil
}

// CSV splits a list at its commas and drops blanks and empty elements.
func CSV(s string) []string {
	var list []string
	for e := range strings.SplitSeq(s, ",") {
		if e = strings.Trim(e, spaces); e != "" {
			list = append(list, e)
		}
	}
	return list
}

// Ports parses a list of port numbers separated by commas.
func Ports(s string) ([]uint16, error) {
	var ports []uint16
	for _, e := range CSV(s) {
		n, err := Int(e, 1, math.MaxUint16)
		if err != nil {
			return nil, fmt.Errorf("port %w", err)
		}
		ports = append(ports, uint16(n))
	}
	return ports, nil
}
