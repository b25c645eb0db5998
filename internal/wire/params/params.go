// Package params holds consensus parameters: lists of name=number, and the table of those that this version reads with
// their defaults and ranges.
//
// https://spec.torproject.org/param-spec.html
package params

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// What can be wrong with a list.
var (
	ErrSyntax = errors.New("malformed parameter")
	ErrOrder  = errors.New("parameters not in order")
	ErrTwice  = errors.New("parameter comes twice")
)

// A Value is a parameter as it stands in a list.
type Value struct {
	Name  string
	Value int32
}

// A List is a set of parameters, sorted as in documents (see Compare). The zero List is empty.
type List []Value

// Compare orders names as C tor sorts the words of a list: by the bytes of "name=". A name that begins with another one and
// a dash or digit hence comes before it.
func Compare(a, b string) int {
	n := min(len(a), len(b))
	if c := strings.Compare(a[:n], b[:n]); c != 0 || len(a) == len(b) {
		return c
	}
	if len(a) > n {
		return cmpEnd(a[n])
	}
	return -cmpEnd(b[n])
}

// cmpEnd compares the next byte of the longer name with the equals sign that follows the shorter one.
func cmpEnd(c byte) int {
	if c < '=' {
		return -1
	}
	return 1
}

// Parse reads the arguments of a params line, which must be sorted.
func Parse(args netdoc.Args) (List, error) {
	l, err := parse(args)
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(l); i++ {
		if Compare(l[i-1].Name, l[i].Name) > 0 {
			return nil, fmt.Errorf("%.64q: %w", l[i].Name, ErrOrder)
		}
	}
	return l, l.checkTwice()
}

// ParseUnsorted reads the arguments of a bandwidth-weights line, for which no order is prescribed, and sorts them.
func ParseUnsorted(args netdoc.Args) (List, error) {
	l, err := parse(args)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(l, func(a, b Value) int { return Compare(a.Name, b.Name) })
	return l, l.checkTwice()
}

func (l List) checkTwice() error {
	for i := 1; i < len(l); i++ {
		if l[i-1].Name == l[i].Name {
			return fmt.Errorf("%.64q: %w", l[i].Name, ErrTwice)
		}
	}
	return nil
}

func parse(args netdoc.Args) (List, error) {
	var l List
	for arg := args.Next(); arg != nil; arg = args.Next() {
		name, value, ok := strings.Cut(string(arg), "=")
		n, err := parseInt32(value)
		if !ok || name == "" || err != nil {
			return nil, fmt.Errorf("%.64q: %w", arg, ErrSyntax)
		}
		l = append(l, Value{name, n})
	}
	return l, nil
}

// parseInt32 reads a decimal number; unlike strconv it takes no plus sign.
func parseInt32(s string) (int32, error) {
	if strings.HasPrefix(s, "+") {
		return 0, ErrSyntax
	}
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err
}

// AppendTo appends the list as the arguments of a line, each after a space.
func (l List) AppendTo(dst []byte) []byte {
	for _, v := range l {
		dst = append(append(append(dst, ' '), v.Name...), '=')
		dst = strconv.AppendInt(dst, int64(v.Value), 10)
	}
	return dst
}

// Lookup finds a parameter.
func (l List) Lookup(name string) (value int32, ok bool) {
	i, ok := slices.BinarySearchFunc(l, name, func(v Value, name string) int { return Compare(v.Name, name) })
	if !ok {
		return 0, false
	}
	return l[i].Value, true
}

// Get returns a parameter forced into the range low to high, or def if the list has it not.
func (l List) Get(name string, def, low, high int32) int32 {
	v, ok := l.Lookup(name)
	if !ok {
		return def
	}
	return min(max(v, low), high)
}

// Of returns a parameter of the table.
func (l List) Of(p Param) int32 { return l.Get(p.Name, p.Default, p.Min, p.Max) }

// A Param says how to read a parameter.
type Param struct {
	Name              string
	Default, Min, Max int32
}
