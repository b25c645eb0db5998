package logfmt

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Options says what is logged, how and where.
type Options struct {
	Rules       []Rule        // if there is none, Quiet decides
	Quiet       Quiet         // for standard output without Rules
	Daemon      bool          // standard output and error lead nowhere: leave them out
	Granularity time.Duration // of the times on the lines
	Domains     bool          // name the domain of each message
	Truncate    bool          // empty a log file when it is opened the first time
	Reveal      bool          // print what is hidden by package safelog
	SyslogTag   string        // "Tor-tag" in the system's log in place of "Tor"
	Program     string        // name and version, for the first line of a file
}

// maxStartup bounds the bytes of messages kept for sinks that open later.
const maxStartup = 64 << 10

// Output is where the log goes. Its methods are safe for concurrent use.
type Output struct {
	stdout, stderr io.Writer
	syslog         func(tag string) (sysWriter, error)

	least  atomic.Int32 // the least severity that anybody wants
	reveal atomic.Bool

	mu          sync.Mutex // guards the fields below; held while a line is written
	opt         Options
	sinks       []*sink
	startup     []message // nil once configured
	startupSize int
	buf         []byte
}

// A message is a line before it is known who wants it.
type message struct {
	sev  severity
	dom  domains
	line string
	text int // where the text begins in line, behind time and severity
}

// New returns an output that logs to stdout, as much as quiet says, until it is configured.
func New(stdout, stderr io.Writer, quiet Quiet) *Output {
	o := &Output{stdout: stdout, stderr: stderr, syslog: dialSyslog}
	o.opt.Quiet = quiet
	o.sinks = []*sink{{filter: quiet.filter(), stream: stdout}}
	o.startup = []message{}
	o.least.Store(int32(sevNotice)) // even if quiet: a file may want it later
	return o
}

func (o *Output) enabled(l slog.Level) bool { return int32(severityOf(l)) <= o.least.Load() }

func (o *Output) reveals() bool { return o.reveal.Load() }

// write formats a record once and gives it to every sink that wants it, in one Write each.
func (o *Output) write(rec slog.Record) {
	sev := severityOf(rec.Level)
	o.mu.Lock()
	defer o.mu.Unlock()
	name, dom := "", allDomains
	if o.needsDomain() {
		name, dom = domainOf(rec.PC)
	}
	buf := appendPrefix(o.buf[:0], rec.Time, o.opt.Granularity, sev)
	if o.opt.Domains {
		buf = fmt.Appendf(buf, "{%s} ", name)
	}
	m := message{sev: sev, dom: dom, text: len(buf)}
	buf = append(appendText(buf, rec), '\n')
	o.buf = buf
	for _, s := range o.sinks {
		if s.filter[sev]&dom != 0 {
			s.write(sev, buf, m.text)
		}
	}
	if o.startup != nil && o.startupSize+len(buf) <= maxStartup {
		m.line = string(buf)
		o.startup = append(o.startup, m)
		o.startupSize += len(buf)
	}
}

func (o *Output) needsDomain() bool {
	if o.opt.Domains || o.startup != nil {
		return true
	}
	for _, s := range o.sinks {
		if s.filter.usesDomains() {
			return true
		}
	}
	return false
}

// Configure opens the sinks that opt asks for and closes all others. If one cannot be opened, everything stays as it
// was. Files are opened anew, so that calling it again lets go of a log file that was moved away.
func (o *Output) Configure(opt Options) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	sinks, err := o.open(opt)
	if err != nil {
		return errors.Join(err, closeAll(sinks))
	}
	old := o.sinks
	o.opt, o.sinks = opt, sinks
	o.reveal.Store(opt.Reveal)
	o.setLeast()
	for _, m := range o.startup {
		for _, s := range sinks {
			if s.stream == nil && s.filter[m.sev]&m.dom != 0 { // the streams have shown it
				s.write(m.sev, []byte(m.line), m.text)
			}
		}
	}
	o.startup = nil
	return closeAll(old)
}

// Reopen opens all files anew, as log rotation wants it.
func (o *Output) Reopen() error {
	o.mu.Lock()
	opt := o.opt
	o.mu.Unlock()
	return o.Configure(opt)
}

// Debug makes every sink take everything until the next Configure.
func (o *Output) Debug() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.sinks {
		s.filter = filterFrom(sevDebug)
	}
	o.setLeast()
}

// Close closes the files. What is logged after it is lost.
func (o *Output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := o.sinks
	o.sinks, o.startup = nil, nil
	o.setLeast()
	return closeAll(old)
}

// setLeast works out what anybody wants. The caller holds mu.
func (o *Output) setLeast() {
	least := int32(-1)
	for _, s := range o.sinks {
		for sev, d := range s.filter {
			if d != 0 {
				least = max(least, int32(sev))
			}
		}
	}
	o.least.Store(least)
}
