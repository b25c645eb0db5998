package onion

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// Load reads a key directory. notes are about what does no harm, or what C tor would set right at its next start. Nothing is
// changed: whoever may read the directory may look, root too.
func Load(dir string) (s *Service, notes []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	l := loader{dir: dir, root: root, s: new(Service)}
	if err := l.load(); err != nil {
		return nil, l.notes, err
	}
	return l.s, l.notes, nil
}

type loader struct {
	dir   string
	root  *os.Root
	s     *Service
	notes []string
	later []file // what is compared with the key
}

func (l *loader) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// path is how a file is called in errors and notes.
func (l *loader) path(name string) string { return filepath.Join(l.dir, name) }

func (l *loader) load() error {
	if info, err := os.Stat(l.dir); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		l.note("%s has mode %04o, which lets others use it; Tor wants 0700", l.dir, info.Mode().Perm())
	}
	if err := l.each("."); err != nil {
		return err
	}
	if l.s.Key == nil {
		return fmt.Errorf("%s: there is no file %s: %w", l.dir, keyfile.ServiceSecretFile, ErrNoKey)
	}
	if err := l.s.check(); err != nil {
		return fmt.Errorf("%s: %w", l.path(keyfile.ServiceSecretFile), err)
	}
	found := map[string]bool{}
	for _, f := range l.later {
		found[f.name] = true
		err := l.s.agrees(f)
		switch {
		case err != nil && f.name == keyfile.ServiceHostnameFile:
			l.note("%s: %v; Tor writes it anew when it starts", l.path(f.name), err)
		case err != nil:
			return fmt.Errorf("%s: %w", l.path(f.name), err)
		}
	}
	for _, name := range []string{keyfile.ServicePublicFile, keyfile.ServiceHostnameFile} {
		if !found[name] {
			l.note("%s is not there; Tor makes it when it starts", l.path(name))
		}
	}
	return nil
}

// each reads the files in a directory, "." or that of the clients.
func (l *loader) each(dir string) error {
	entries, err := fs.ReadDir(l.root.FS(), dir)
	if err != nil {
		return fmt.Errorf("%s: %w", l.path(dir), inner(err))
	}
	for _, e := range entries {
		name := e.Name()
		if dir != "." {
			name = dir + "/" + name
		}
		if name == keyfile.ServiceClientsDir {
			if err := l.each(name); err != nil {
				return err
			}
			continue
		}
		if err := l.file(name, e); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) file(name string, e fs.DirEntry) error {
	_, client := clientName(name)
	switch {
	case !client && name != keyfile.ServiceSecretFile && name != keyfile.ServicePublicFile && name != keyfile.ServiceHostnameFile && name != keyfile.ServiceOnionBalancing:
		if !strings.HasSuffix(name, tmpSuffix) { // what a kill left
			l.note("%s is none of the files of a service", l.path(name))
		}
		return nil
	case !e.Type().IsRegular():
		return fmt.Errorf("%s is not a regular file", l.path(name))
	}
	data, err := l.read(name)
	defer clear(data)
	if err == nil {
		_, err = l.s.add(file{name, data})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", l.path(name), inner(err))
	}
	if name == keyfile.ServicePublicFile || name == keyfile.ServiceHostnameFile {
		l.later = append(l.later, file{name, bytes.Clone(data)})
	}
	return nil
}

func (l *loader) read(name string) ([]byte, error) {
	f, err := l.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readFile(f)
}

// readFile reads a small file.
func readFile(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("more than %d bytes: %w", maxFile, keyfile.ErrLength)
	}
	return b, err
}

// inner strips the path from an error that will get a whole one.
func inner(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// tmpSuffix ends the names of what is being made.
const tmpSuffix = ".tmp"

// Vacant tells whether Install could make dir: it is not there, or an empty directory.
func Vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && len(entries) == 0:
		return nil
	case err == nil:
		return fmt.Errorf("%s %w, and is not empty: choose another directory", dir, ErrExists)
	}
	if _, statErr := os.Lstat(dir); statErr == nil && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s %w, and is no directory: choose another name", dir, ErrExists)
	}
	return err
}

// Install makes a key directory: beside its place first, and then there in one step. It replaces nothing but an empty directory.
func (s *Service) Install(log *slog.Logger, dir string) error {
	if err := s.check(); err != nil {
		return err
	}
	if err := Vacant(dir); err != nil {
		return err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".*"+tmpSuffix) // mode 0700
	if err != nil {
		return fmt.Errorf("cannot make a directory beside %s: %w", dir, inner(err))
	}
	err = s.fill(log, tmp)
	if err == nil {
		err = move(tmp, dir)
	}
	if err != nil {
		os.RemoveAll(tmp)
	}
	return err
}

// fill writes the files into an empty directory.
func (s *Service) fill(log *slog.Logger, path string) error {
	files, err := s.files()
	if err != nil {
		return err
	}
	dir, err := statefile.Open(log, path, statefile.Options{})
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := os.Mkdir(filepath.Join(path, keyfile.ServiceClientsDir), 0o700); err != nil {
		return err
	}
	for _, f := range files {
		err := dir.WriteWhole(f.name, f.data)
		clear(f.data)
		if err != nil {
			return err
		}
	}
	return nil
}

// move puts a directory in its place.
func move(tmp, dir string) error {
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // if it is empty
		return fmt.Errorf("%s is in the way: %w", dir, inner(err))
	}
	if err := os.Rename(tmp, dir); err != nil {
		return err
	}
	if parent, err := os.Open(filepath.Dir(dir)); err == nil {
		_ = parent.Sync() // not every system can
		parent.Close()
	}
	return nil
}
