package logfmt

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// severity is one of C tor's levels, from the most to the least severe.
type severity uint8

const (
	sevErr severity = iota
	sevWarn
	sevNotice
	sevInfo
	sevDebug
	numSeverities
)

var severities = [numSeverities]struct {
	name  string
	level slog.Level // the lowest that belongs to it
}{
	sevErr:    {"err", safelog.LevelErr},
	sevWarn:   {"warn", safelog.LevelWarn},
	sevNotice: {"notice", safelog.LevelNotice},
	sevInfo:   {"info", safelog.LevelInfo},
	sevDebug:  {"debug", safelog.LevelDebug},
}

// severityOf maps the levels of slog, and those between them, to C tor's.
func severityOf(l slog.Level) severity {
	for s := sevErr; s < sevDebug; s++ {
		if l >= severities[s].level {
			return s
		}
	}
	return sevDebug
}

func parseSeverity(name string) (severity, error) {
	for s, v := range severities {
		if strings.EqualFold(v.name, name) {
			return severity(s), nil
		}
	}
	return 0, fmt.Errorf("unknown severity %q: use debug, info, notice, warn or err", name)
}

// Quiet is how much a program says before, and without, a Log option.
type Quiet uint8

const (
	Normal Quiet = iota // notices and worse
	Hush                // --hush: warnings and worse
	Silent              // --quiet: nothing
)

func (q Quiet) filter() Filter {
	switch q {
	case Silent:
		return Filter{}
	case Hush:
		return filterFrom(sevWarn)
	}
	return filterFrom(sevNotice)
}
