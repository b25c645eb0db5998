package logfmt

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// A sink is one place that takes lines: exactly one of stream, file and sys is set.
type sink struct {
	filter Filter
	stream io.Writer
	file   *os.File
	path   string // of file
	sys    sysWriter
}

// sysWriter is the system's log; it adds time and severity itself.
type sysWriter interface {
	Err(string) error
	Warning(string) error
	Notice(string) error
	Info(string) error
	Debug(string) error
	Close() error
}

// write gives the sink a line whose text begins at text. There is nowhere to report an error to, and the next write
// may succeed: a full disk gets emptied.
func (s *sink) write(sev severity, line []byte, text int) {
	switch {
	case s.stream != nil:
		s.stream.Write(line)
	case s.file != nil:
		s.file.Write(line)
	default:
		put := [numSeverities]func(string) error{s.sys.Err, s.sys.Warning, s.sys.Notice, s.sys.Info, s.sys.Debug}
		put[sev](string(line[text:]))
	}
}

func closeAll(sinks []*sink) (err error) {
	for _, s := range sinks {
		switch {
		case s.file != nil:
			err = errors.Join(err, s.file.Close())
		case s.sys != nil:
			err = errors.Join(err, s.sys.Close())
		}
	}
	return err
}

// open opens the sinks of opt. With an error it returns those that it had opened. The caller holds mu.
func (o *Output) open(opt Options) (sinks []*sink, err error) {
	if len(opt.Rules) == 0 && !opt.Daemon {
		return []*sink{{filter: opt.Quiet.filter(), stream: o.stdout}}, nil
	}
	for _, r := range opt.Rules {
		s := &sink{filter: r.Filter}
		switch r.Target {
		case Stdout:
			s.stream = o.stdout
		case Stderr:
			s.stream = o.stderr
		case File:
			s.path = r.Path
			s.file, err = o.openFile(r.Path, opt)
		case Syslog:
			tag := "Tor"
			if opt.SyslogTag != "" {
				tag += "-" + opt.SyslogTag
			}
			s.sys, err = o.syslog(tag)
		}
		if err != nil {
			return sinks, fmt.Errorf("open log: %w", err)
		}
		if s.stream == nil || !opt.Daemon {
			sinks = append(sinks, s)
		}
	}
	return sinks, nil
}

// openFile opens a log file, which the group may read, and writes its first line.
func (o *Output) openFile(path string, opt Options) (*os.File, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	known := false // a file that was open before keeps what it has
	for _, s := range o.sinks {
		known = known || s.path == path
	}
	if opt.Truncate && !known {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o640)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	fresh := ""
	if info.Size() == 0 {
		fresh = "new "
	}
	if fresh != "" || !known {
		line := appendPrefix(nil, time.Now(), opt.Granularity, sevNotice)
		line = fmt.Appendf(line, "%s opening %slog file.\n", opt.Program, fresh)
		if _, err := f.Write(line); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}
