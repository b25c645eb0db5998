package ctor

import (
	"os"
	"strconv"
	"strings"
)

// Torrc is a configuration file, a line an entry, without line ends.
type Torrc []string

// Add appends an option. Its values are joined by spaces; where the whole is not a plain value it is quoted, so that
// paths may hold a # or a quote.
func (t *Torrc) Add(option string, values ...string) {
	value := strings.Join(values, " ")
	if strings.ContainsAny(value, "#\"\\\n") || strings.TrimSpace(value) != value {
		value = strconv.Quote(value)
	}
	*t = append(*t, strings.TrimSpace(option+" "+value))
}

// String is the text of the file.
func (t Torrc) String() string {
	if len(t) == 0 {
		return ""
	}
	return strings.Join(t, "\n") + "\n"
}

func (t Torrc) write(path string) error { return os.WriteFile(path, []byte(t.String()), 0o600) }
