package config

import (
	"fmt"
	"log/slog"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Values holds a value for every option. What was not set has its default.
type Values struct {
	scalars  map[*Option]scalar
	lists    map[string][]torrc.Line // by Option.list
	testing  bool                    // the defaults are those of a test network
	messages []Message
}

type scalar struct {
	value any // as kindOf parses it
	line  torrc.Line
}

// Message is something to tell the user once the log is open.
type Message struct {
	Level slog.Level
	Text  string
}

func newValues() *Values {
	return &Values{scalars: map[*Option]scalar{}, lists: map[string][]torrc.Line{}}
}

func (v *Values) clone() *Values {
	c := *v
	c.scalars, c.lists = maps.Clone(v.scalars), maps.Clone(v.lists)
	return &c
}

func (v *Values) warn(format string, args ...any) { v.tell(safelog.LevelWarn, format, args...) }

func (v *Values) tell(level slog.Level, format string, args ...any) {
	v.messages = append(v.messages, Message{level, fmt.Sprintf(format, args...)})
}

// parseScalar parses a value of an option that is not a list of lines.
func parseScalar(k Kind, s string) (any, error) {
	switch k {
	case Int:
		return torrc.Int(s, math.MinInt32, math.MaxInt32)
	case PosInt:
		return torrc.Int(s, 0, math.MaxInt32)
	case Uint64:
		return strconv.ParseUint(s, 10, 64)
	case MemUnit:
		return torrc.MemUnit(s)
	case Interval:
		return torrc.Interval(s)
	case MsecInterval:
		return torrc.MsecInterval(s)
	case CSVInterval:
		first, _, _ := strings.Cut(s, ",")
		return torrc.Interval(first)
	case Float:
		return torrc.Float(s)
	case Bool:
		return torrc.Bool(s)
	case AutoBool:
		return torrc.ParseAutoBool(s)
	case CSV:
		return torrc.CSV(s), nil
	case NodeSet:
		return torrc.ParseNodeSet(s)
	}
	return s, nil
}

// cleared is the value of an option that was set to nothing, which is not its default.
func cleared(k Kind) any {
	switch k {
	case Int, PosInt:
		return 0
	case Uint64, MemUnit:
		return uint64(0)
	case Interval, MsecInterval, CSVInterval:
		return time.Duration(0)
	case Float:
		return 0.0
	case Bool:
		return false
	case AutoBool:
		return torrc.No
	case CSV:
		return []string(nil)
	case NodeSet:
		return torrc.NodeSet{}
	}
	return ""
}

// assign applies the lines of one source. A list that an earlier source has set is replaced, unless its first line in
// this one appends.
func (v *Values) assign(lines []torrc.Line) error {
	seen := map[*Option]bool{}
	touched := map[string]bool{}
	for _, l := range lines {
		o, note := find(l.Key, l.File == torrc.CommandLine)
		if note != "" {
			v.warn("%s", note)
		}
		if o == nil {
			return unknown(l)
		}
		l.Key = o.Name
		if note := deprecation(o); note != "" {
			v.warn("%s", note)
		}
		switch o.Kind {
		case Obsolete:
			v.warn(`Skipping obsolete configuration option "%s".`, o.Name)
		case Virtual:
			return l.Errorf("cannot be set itself: set the options that it stands for")
		case Lines:
			v.assignLine(o, l, touched)
		case NodeSet:
			if err := v.assignNodes(o, l, seen[o]); err != nil {
				return err
			}
			seen[o] = true
		default:
			if l.Value != "" && seen[o] {
				v.warn("Option '%s' used more than once; all but the last value will be ignored.", o.Name)
			}
			seen[o] = seen[o] || l.Value != ""
			if err := v.assignScalar(o, l); err != nil {
				return err
			}
		}
	}
	return nil
}

func unknown(l torrc.Line) error {
	hint := ""
	if n := nearest(l.Key); n != "" {
		hint = fmt.Sprintf(" Did you mean %s?", n)
	}
	//lint:ignore ST1005 programs know the line in C tor's words
	return &torrc.Error{File: l.File, Num: l.Num, Err: fmt.Errorf("Unknown option '%s'.  Failing.%s", l.Key, hint)}
}

func (v *Values) assignLine(o *Option, l torrc.Line, touched map[string]bool) {
	name := o.list()
	switch {
	case l.Op == torrc.Clear || !touched[name] && l.Op == torrc.Set && l.Value != "":
		v.lists[name] = nil
	case l.Value == "":
		v.warn("Linelist option '%s' has no value. Skipping.", o.Name)
		return
	}
	touched[name] = true
	if l.Value != "" {
		v.lists[name] = append(v.lists[name], l) // a clone keeps its shorter view
	}
}

// assignNodes takes a line about a set of relays. Those of one source add up, as in C tor.
func (v *Values) assignNodes(o *Option, l torrc.Line, again bool) error {
	if old := v.scalars[o].line.Value; old != "" && (again || l.Op == torrc.Append) {
		l.Value = strings.TrimSuffix(old+","+l.Value, ",")
	}
	return v.assignScalar(o, l)
}

func (v *Values) assignScalar(o *Option, l torrc.Line) error {
	value := cleared(o.Kind)
	if l.Value != "" {
		var err error
		if value, err = parseScalar(o.Kind, l.Value); err != nil {
			return l.Errorf("%w", err)
		}
	}
	v.scalars[o] = scalar{value, l}
	return nil
}

// defaults holds the parsed defaults of all options that are not lists.
var defaults = func() map[*Option]any {
	m := map[*Option]any{}
	for o := range Options() {
		if o.Kind != Lines {
			m[o] = mustParse(o, o.Default)
		}
	}
	return m
}()

func mustParse(o *Option, s string) any {
	if s == "" {
		return cleared(o.Kind)
	}
	value, err := parseScalar(o.Kind, s)
	if err != nil {
		panic("config: default of " + o.Name + ": " + err.Error())
	}
	return value
}

// option returns the row of name, which the program itself names: a wrong one is a bug.
func option(name string) *Option {
	o := byName[fold(name)]
	if o == nil {
		panic("config: no option " + name)
	}
	return o
}

func (v *Values) value(o *Option) any {
	if s, ok := v.scalars[o]; ok {
		return s.value
	}
	return v.defaultOf(o)
}

func (v *Values) defaultOf(o *Option) any {
	if d, ok := testingDefaults[o]; ok && v.testing {
		return d
	}
	return defaults[o]
}

// put changes a value that is out of range; the line that set it stays known.
func (v *Values) put(name string, value any) { v.scalars[option(name)] = scalar{value, v.at(name)} }

// derive gives an option the value that follows from another one, whose line counts in error messages.
func (v *Values) derive(name string, value any, from string) {
	v.scalars[option(name)] = scalar{value, v.at(from)}
}

// IsSet tells whether a file or the command line set the option.
func (v *Values) IsSet(name string) bool {
	o := option(name)
	if o.Kind == Lines {
		return len(v.Lines(name)) > 0
	}
	_, ok := v.scalars[o]
	return ok
}

// at returns the line that set the option, for error messages.
func (v *Values) at(name string) torrc.Line {
	l := torrc.Line{Key: name}
	if o := option(name); o.Kind != Lines {
		if s, ok := v.scalars[o]; ok {
			l = s.line
		}
	} else if lines := v.Lines(name); len(lines) > 0 {
		l = lines[0]
	}
	return l
}

// The getters return the value of an option of their kind. They panic if it has another kind.

func (v *Values) Bool(name string) bool               { return v.value(option(name)).(bool) }
func (v *Values) AutoBool(name string) torrc.AutoBool { return v.value(option(name)).(torrc.AutoBool) }
func (v *Values) Int(name string) int                 { return v.value(option(name)).(int) }
func (v *Values) Uint64(name string) uint64           { return v.value(option(name)).(uint64) }
func (v *Values) Float(name string) float64           { return v.value(option(name)).(float64) }
func (v *Values) Duration(name string) time.Duration  { return v.value(option(name)).(time.Duration) }
func (v *Values) String(name string) string           { return v.value(option(name)).(string) }
func (v *Values) CSV(name string) []string            { return v.value(option(name)).([]string) }
func (v *Values) NodeSet(name string) torrc.NodeSet   { return v.value(option(name)).(torrc.NodeSet) }

// Lines returns the lines of a Lines option, in order; of a Virtual one, those of its group.
func (v *Values) Lines(name string) []torrc.Line {
	o := option(name)
	if o.Group == "" {
		return v.lists[name]
	}
	var lines []torrc.Line
	for _, l := range v.lists[o.Group] {
		if l.Key == o.Name {
			lines = append(lines, l)
		}
	}
	return lines
}
