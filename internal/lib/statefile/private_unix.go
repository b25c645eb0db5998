//go:build unix

package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// CheckPrivate checks that path is a directory of the user that runs the process, and that nobody else can use it;
// as far as p lets it, it makes the directory and corrects the rights. A symbolic link is refused. It decides as C tor
// does in check_private_dir.
func CheckPrivate(log *slog.Logger, path string, p Policy) error {
	// O_NONBLOCK: opening a pipe must not hang.
	const flags = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	f, err := os.OpenFile(path, flags, 0)
	if errors.Is(err, fs.ErrNotExist) && !p.CheckOnly {
		log.Debug("Creating directory", "path", path)
		if err := os.Mkdir(path, fs.FileMode(p.mode())); err != nil {
			return fmt.Errorf("directory %s cannot be made: %w", path, inner(err))
		}
		f, err = os.OpenFile(path, flags, 0)
	}
	switch {
	case errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("directory %s is a symbolic link; name the directory itself", path)
	case err != nil:
		return fmt.Errorf("directory %s cannot be read: %w", path, inner(err))
	}
	defer f.Close()
	// The checks look at what was opened, so that nobody can swap the directory in between.
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("directory %s cannot be checked: %w", path, inner(err))
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", path)
	}
	if err := checkOwner(path, info, p); err != nil {
		return err
	}
	return checkMode(log, f, info, p)
}

func checkOwner(path string, info fs.FileInfo, p Policy) error {
	st := info.Sys().(*syscall.Stat_t)
	if uid := os.Getuid(); int(st.Uid) != uid {
		return fmt.Errorf("directory %s belongs to user %s, but this process runs as user %s; change the owner or run as the other user",
			path, userName(int(st.Uid)), userName(uid))
	}
	if gid := os.Getgid(); p.GroupReadable && int(st.Gid) != gid && st.Gid != 0 {
		return fmt.Errorf("directory %s belongs to group %s, but this process runs as group %s; change the group or run as the other one",
			path, groupName(int(st.Gid)), groupName(gid))
	}
	return nil
}

func checkMode(log *slog.Logger, f *os.File, info fs.FileInfo, p Policy) error {
	unwanted := fs.FileMode(0o077)
	if p.GroupReadable {
		unwanted = 0o027
	}
	mode := info.Mode().Perm()
	if mode&unwanted == 0 {
		return nil
	}
	if p.CheckOnly {
		return fmt.Errorf("directory %s has mode %04o, which lets others use it; it must be %04o", f.Name(), mode, p.mode())
	}
	log.Warn("Fixing permissions on directory", "path", f.Name(), "mode", fmt.Sprintf("%04o", mode))
	special := info.Mode() & (fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky) // Debian's packages set the group bit
	if err := f.Chmod(special | mode&^unwanted | fs.FileMode(p.mode())); err != nil {
		return fmt.Errorf("directory %s has mode %04o, which lets others use it, and cannot be changed: %w", f.Name(), mode, inner(err))
	}
	return nil
}

// userName returns what an operator needs to find a user: its name, if it has one, and its number.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username + " (" + id + ")"
	}
	return id
}

func groupName(gid int) string {
	id := strconv.Itoa(gid)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name + " (" + id + ")"
	}
	return id
}

// inner strips the path that the caller's text has already.
func inner(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
