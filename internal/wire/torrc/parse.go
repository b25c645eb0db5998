package torrc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Limits of one configuration, %include and all.
const (
	MaxBytes   = 16 << 20
	MaxFiles   = 1024
	maxInclude = 31 // levels of %include, as in C tor
)

var (
	// ErrTooLarge says that a limit is exceeded.
	ErrTooLarge = fmt.Errorf("the configuration is larger than %d MiB or %d files", MaxBytes>>20, MaxFiles)
	// ErrDepth says that files include each other too deep, or in a circle.
	ErrDepth = fmt.Errorf("more than %d nested %%includes", maxInclude)
)

// Parse reads the configuration file name, whose text is given, and the files that it includes.
//
// fsys opens these by the names that the file gives them, which may be absolute. They may be patterns with * and ?;
// a directory stands for the files in it, in order of their names, without those that begin with a dot. A nil fsys
// makes %include an error.
//
// An error is an *[Error].
func Parse(name, text string, fsys fs.FS) ([]Line, error) {
	p := parser{fsys: fsys, bytes: MaxBytes, files: MaxFiles}
	if err := p.file(name, text, 0); err != nil {
		return nil, err
	}
	return p.lines, nil
}

type parser struct {
	fsys         fs.FS
	bytes, files int // what is left of the limits
	lines        []Line
}

func (p *parser) file(name, text string, depth int) error {
	p.bytes -= len(text)
	p.files--
	if p.bytes < 0 || p.files < 0 {
		return &Error{File: name, Num: 1, Err: ErrTooLarge}
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return &Error{File: name, Num: 1 + strings.Count(text[:i], "\n"), Err: ErrNUL}
	}
	s := newScanner(text)
	for {
		key, value, num, ok, err := s.next()
		if !ok && err == nil {
			return nil
		}
		line := makeLine(key, value)
		line.File, line.Num = name, num
		switch {
		case err != nil:
		case !isName(line.Key):
			err = ErrName
		case line.Key == "%include":
			if err = p.include(line.Value, depth+1); errors.As(err, new(*Error)) {
				return err // it knows its own place
			}
		default:
			p.lines = append(p.lines, line)
		}
		if err != nil {
			return line.Errorf("%w", err)
		}
	}
}

// makeLine takes off the prefix of key that says what the line does.
func makeLine(key, value string) Line {
	if k, ok := strings.CutPrefix(key, "+"); ok {
		return Line{Key: k, Value: value, Op: Append}
	}
	if k, ok := strings.CutPrefix(key, "/"); ok {
		return Line{Key: k, Op: Clear}
	}
	return Line{Key: key, Value: value}
}

func isName(s string) bool {
	for i := range len(s) {
		if !printable(s[i]) || strings.IndexByte(` "'\`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// include reads all files that pattern stands for.
func (p *parser) include(pattern string, depth int) error {
	if p.fsys == nil || pattern == "" {
		return errors.New("no file named, or not allowed here")
	}
	if depth > maxInclude {
		return ErrDepth
	}
	names, err := expand(p.fsys, pattern)
	if err != nil {
		return fmt.Errorf("%q: %w", pattern, err)
	}
	for _, name := range names {
		text, err := p.read(name)
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if err := p.file(name, text, depth); err != nil {
			return err
		}
	}
	return nil
}

// read reads a file, one byte more than the limit allows at most.
func (p *parser) read(name string) (string, error) {
	f, err := p.fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, int64(p.bytes)+1))
	return string(text), err
}

// expand lists the files that pattern stands for. A pattern that matches nothing is no error; a plain name is.
func expand(fsys fs.FS, pattern string) (files []string, err error) {
	names := []string{pattern}
	if strings.ContainsAny(pattern, "*?") {
		names, err = fs.Glob(fsys, pattern)
		if err != nil {
			return nil, err
		}
		names = slices.DeleteFunc(names, func(name string) bool { return showsDotFile(pattern, name) })
		slices.Sort(names)
	}
	for _, name := range names {
		info, err := fs.Stat(fsys, name)
		switch {
		case err != nil:
			return nil, err
		case !info.IsDir():
			files = append(files, name)
			continue
		}
		entries, err := fs.ReadDir(fsys, name) // sorted
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			full := path.Join(name, e.Name())
			if info, err := fs.Stat(fsys, full); err == nil && info.Mode().IsRegular() && e.Name()[0] != '.' {
				files = append(files, full)
			}
		}
	}
	return files, nil
}

// showsDotFile tells whether a wildcard of pattern matched the dot of a hidden file, which a shell would not do.
func showsDotFile(pattern, name string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(name, "/")
	for i := range min(len(want), len(got)) {
		if strings.HasPrefix(got[i], ".") && !strings.HasPrefix(want[i], ".") {
			return true
		}
	}
	return false
}
