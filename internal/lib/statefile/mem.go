package statefile

import (
	"io"
	"io/fs"
	"slices"
	"sync"
)

// A Mem is a [Store] in memory, for tests: it can be told to fail. The zero Mem is empty and ready for use.
type Mem struct {
	mu    sync.Mutex // guards the fields below
	files map[string][]byte
	fails int // changes that fail from now on
	err   error
	tear  int // bytes that the next Append stores, plus one; 0 means all
}

var _ Store = (*Mem)(nil)

// FailNext makes the next n calls of WriteWhole, Append and Remove fail with err and change nothing.
func (m *Mem) FailNext(n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fails, m.err = n, err
}

// TearNextAppend makes the next Append store only the first n bytes, or fewer, of its data and fail, as if the machine
// had died.
func (m *Mem) TearNextAppend(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tear = n + 1
}

// Sizes tells the length of each file, in bytes.
func (m *Mem) Sizes() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	sizes := make(map[string]int, len(m.files))
	for name, data := range m.files {
		sizes[name] = len(data)
	}
	return sizes
}

// Read implements [Store].
func (m *Mem) Read(name string) ([]byte, error) {
	data, _, err := m.Map(name)
	return slices.Clone(data), err
}

// WriteWhole implements [Store].
func (m *Mem) WriteWhole(name string, data []byte) error {
	return m.change("write", name, func() error {
		m.files[name] = slices.Clone(data)
		return nil
	})
}

// Append implements [Store].
func (m *Mem) Append(name string, data []byte) (err error) {
	return m.change("append", name, func() (err error) {
		if m.tear > 0 {
			data, err = data[:min(m.tear-1, len(data))], io.ErrShortWrite
			m.tear = 0
		}
		// It grows in place, behind what readers of a map see.
		m.files[name] = append(m.files[name], data...)
		return err
	})
}

// Remove implements [Store].
func (m *Mem) Remove(name string) error {
	return m.change("remove", name, func() error {
		if _, ok := m.files[name]; !ok {
			return fs.ErrNotExist
		}
		delete(m.files, name)
		return nil
	})
}

// Map implements [Store].
func (m *Mem) Map(name string) (data []byte, unmap func(), err error) {
	if err := CheckName(name); err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.files[name]
	if !ok {
		return nil, nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return slices.Clip(data), func() {}, nil
}

// change applies f, which may assume that m.files is there, unless this change is to fail.
func (m *Mem) change(op, name string, f func() error) error {
	if err := CheckName(name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files = make(map[string][]byte)
	}
	err := m.err
	if m.fails > 0 {
		m.fails--
	} else {
		err = f()
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}
