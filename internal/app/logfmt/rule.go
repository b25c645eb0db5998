package logfmt

import (
	"errors"
	"fmt"
	"strings"
)

// Target is a kind of place that log lines go to.
type Target uint8

const (
	Stdout Target = iota
	Stderr
	File
	Syslog
)

// Filter says which messages a sink takes: for each severity the domains.
type Filter [numSeverities]domains

func filterFrom(least severity) (f Filter) {
	f.add(least, sevErr, allDomains)
	return f
}

func (f *Filter) add(least, most severity, d domains) {
	for s := most; s <= least; s++ {
		f[s] |= d
	}
}

// usesDomains tells whether the filter must know the domain of a message.
func (f Filter) usesDomains() bool {
	for _, d := range f {
		if d != 0 && d != allDomains {
			return true
		}
	}
	return false
}

// Rule is what one Log option asks for.
type Rule struct {
	Filter Filter
	Target Target
	Path   string // of a File, as written
}

var (
	errNoSeverity = errors.New(`want: severity[-severity] [stdout|stderr|syslog|file PATH], such as "notice file /var/log/tor/notices.log"`)
	errTwoRanges  = errors.New("only one range of severities may stand without [domains]")
)

// ParseRule parses the value of a Log option: ranges of severities, each with an optional list of domains in brackets
// before it, and a target. Without a target it is standard output.
func ParseRule(s string) (r Rule, err error) {
	words, plain, severities := strings.TrimSpace(s), 0, 0
	for {
		d := allDomains
		if rest, ok := strings.CutPrefix(words, "["); ok {
			list, behind, closed := strings.Cut(rest, "]")
			if !closed {
				return r, errors.New("missing ] behind the domains")
			}
			if d, err = parseDomains(list); err != nil {
				return r, err
			}
			words = strings.TrimSpace(behind)
		} else {
			plain++
		}
		word, rest := cutWord(words)
		if word == "" || isTarget(word) {
			break
		}
		if plain > 1 {
			return r, errTwoRanges
		}
		low, high, isRange := strings.Cut(word, "-")
		if !isRange {
			high = "err"
		}
		least, err := parseSeverity(low)
		if err != nil {
			return r, err
		}
		most, err := parseSeverity(high)
		if err != nil {
			return r, err
		}
		if least < most {
			return r, fmt.Errorf("%q begins with the more severe one: write %s-%s", word, high, low)
		}
		r.Filter.add(least, most, d)
		words, severities = rest, severities+1
	}
	if severities == 0 {
		return r, errNoSeverity
	}
	return r, r.parseTarget(words)
}

func cutWord(s string) (word, rest string) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimSpace(s[i:])
}

func isTarget(word string) bool {
	switch strings.ToLower(word) {
	case "stdout", "stderr", "syslog", "android", "file":
		return true
	}
	return false
}

func (r *Rule) parseTarget(s string) error {
	word, rest := cutWord(s)
	r.Path = rest
	switch strings.ToLower(word) {
	case "", "stdout":
		r.Target = Stdout
	case "stderr":
		r.Target = Stderr
	case "syslog", "android": // C tor has no Android log any more either
		r.Target = Syslog
	case "file":
		r.Target = File
	}
	if (r.Target == File) == (r.Path == "") {
		return fmt.Errorf("bad target %q: use stdout, stderr, syslog or file PATH", s)
	}
	return nil
}
