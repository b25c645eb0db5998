package statefile

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
)

const (
	fileMode = 0o600
	dirMode  = 0o700

	// tmpSuffix marks a file that is being written. C tor uses the same, and each removes what a kill of the other left.
	tmpSuffix = ".tmp"
)

// Options are what an operator may choose about a [Dir].
type Options struct {
	// Policy says who may see the directory.
	Policy Policy

	// SyncAppends makes Append wait until its data is on the disk.
	SyncAppends bool
}

// A Dir is a [Store] in a directory on disk. No name leads out of it, not even by a symbolic link.
type Dir struct {
	path string
	opt  Options
	root *os.Root

	mu sync.Mutex // serialises changes; two writers of one file would share its temporary file
}

var _ Store = (*Dir)(nil)

// Open opens a directory, and makes it if it is not there. It checks the directory as [CheckPrivate] does.
func Open(log *slog.Logger, path string, opt Options) (*Dir, error) {
	if err := CheckPrivate(log, path, opt.Policy); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Dir{path: path, opt: opt, root: root}, nil
}

// Close releases the directory. Locks and maps live on.
func (d *Dir) Close() error { return d.root.Close() }

// Read implements [Store].
func (d *Dir) Read(name string) ([]byte, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	data, err := d.root.ReadFile(name)
	return data, d.explain("read", name, err)
}

// WriteWhole implements [Store]: the data goes into a temporary file, which takes the place of the old one when it is
// on the disk.
func (d *Dir) WriteWhole(name string, data []byte) error {
	if err := CheckName(name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	tmp := name + tmpSuffix
	err := d.root.Remove(tmp) // a new file, so that neither the mode nor a link of a left-over one matters
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = d.writeSynced(tmp, data)
	}
	if err == nil {
		err = d.root.Rename(tmp, name)
	}
	if err != nil {
		_ = d.root.Remove(tmp) // it may hold a disk full of nothing; the error that counts is err
		return d.explain("write", name, err)
	}
	return d.explain("write", name, d.syncDir(filepath.Dir(name)))
}

func (d *Dir) writeSynced(name string, data []byte) error {
	f, err := d.create(name, os.O_WRONLY|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Append implements [Store]. If it fails, it takes back what it wrote, as far as that is possible.
func (d *Dir) Append(name string, data []byte) error {
	if err := CheckName(name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f, err := d.create(name, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return d.explain("append", name, err)
	}
	before, err := f.Stat()
	if err == nil {
		if _, err = f.Write(data); err != nil {
			_ = f.Truncate(before.Size())
		} else if d.opt.SyncAppends {
			err = f.Sync()
		}
	}
	return d.explain("append", name, errors.Join(err, f.Close()))
}

// create opens a file and makes it, with its sub-directory, if it is not there.
func (d *Dir) create(name string, flag int) (*os.File, error) {
	f, err := d.root.OpenFile(name, flag|os.O_CREATE, fileMode)
	sub := filepath.Dir(name)
	if sub == "." || !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := d.root.Mkdir(sub, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := d.syncDir("."); err != nil {
		return nil, err
	}
	return d.root.OpenFile(name, flag|os.O_CREATE, fileMode)
}

// syncDir makes changes of directory entries durable.
func (d *Dir) syncDir(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	err = fsyncDir(f)
	return errors.Join(err, f.Close())
}

// Remove implements [Store].
func (d *Dir) Remove(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.root.Remove(name)
	if err == nil {
		err = d.syncDir(filepath.Dir(name))
	}
	return d.explain("remove", name, err)
}

// Map implements [Store]. Once mapped, a file may be replaced, appended to and removed, but must not be cut short.
func (d *Dir) Map(name string) (data []byte, unmap func(), err error) {
	if err := CheckName(name); err != nil {
		return nil, nil, err
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, nil, d.explain("map", name, err)
	}
	defer f.Close()
	data, unmap, err = mapFile(f)
	if err != nil {
		return nil, nil, d.explain("map", name, err)
	}
	return data, sync.OnceFunc(unmap), nil
}

// explain returns err with the whole path in place of the one within the root.
func (d *Dir) explain(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	} else if e, ok := errors.AsType[*os.LinkError](err); ok {
		err = e.Err
	}
	return &fs.PathError{Op: op, Path: filepath.Join(d.path, name), Err: err}
}
