package ctor

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"sync"
)

// errLogEnded is the error of a log that ends before the awaited line.
var errLogEnded = errors.New("the log ended")

// logFile is a process's log on disk. It tells waiting goroutines when it grows, so that nobody polls, and keeps no line
// in memory, since a network may run for days.
type logFile struct {
	path string

	mu    sync.Mutex // guards the fields below
	file  *os.File
	size  int64
	grown chan struct{} // closed and replaced at each write
}

// openLog opens the log for appending. What it holds already belongs to earlier runs.
func openLog(path string) (*logFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &logFile{path: path, file: f, size: info.Size(), grown: make(chan struct{})}, nil
}

// Write appends the process's output.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.file.Write(p)
	l.size += int64(n)
	close(l.grown)
	l.grown = make(chan struct{})
	return n, err
}

func (l *logFile) state() (size int64, grown <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size, l.grown
}

// wait returns the first line at or after offset that matches, without its line end. ended says that no more will come.
func (l *logFile) wait(ctx context.Context, offset int64, pattern *regexp.Regexp, ended <-chan struct{}) (string, error) {
	f, err := os.Open(l.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for last := false; ; {
		size, grown := l.state()
		line, next, err := scanLines(io.NewSectionReader(f, offset, size-offset), pattern)
		if err != nil || line != "" {
			return line, err
		}
		if last {
			return "", errLogEnded
		}
		offset += next
		select {
		case <-grown:
		case <-ended:
			last = true
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// scanLines looks for the pattern in the whole lines of r. It returns the line, or how many bytes it has seen.
func scanLines(r io.Reader, pattern *regexp.Regexp) (match string, seen int64, err error) {
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadBytes('\n')
		if err == io.EOF {
			return "", seen, nil // a line without its end is read again when it is whole
		}
		if err != nil {
			return "", seen, err
		}
		if pattern.Match(line) {
			return string(bytes.TrimRight(line, "\r\n")), seen, nil
		}
		seen += int64(len(line))
	}
}

func (l *logFile) close() error { return l.file.Close() }
