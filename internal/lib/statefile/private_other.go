//go:build !unix

package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
)

// CheckPrivate checks that path is a directory, and makes it if p lets it. Rights are left to the system.
func CheckPrivate(log *slog.Logger, path string, p Policy) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && !p.CheckOnly {
		log.Debug("Creating directory", "path", path)
		return os.Mkdir(path, fs.FileMode(p.mode()))
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", path)
	}
	return nil
}
