package config

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Host is what configuration takes from the machine.
type Host struct {
	FS       fs.FS     // opens files by the names that users write, absolute ones too
	Stdin    io.Reader // for "-f -"
	Home     string    // of the user; empty if there is none
	Dir      string    // working directory, for relative paths
	Torrc    []string  // default configuration files; the first that exists counts
	Defaults string    // default of --defaults-torrc
	DataDir  string    // default of DataDirectory; "~/" is Home
	Memory   uint64    // bytes that the machine has; 0 if not known
}

// fallbackDataDir is for users without a home.
const fallbackDataDir = "/var/lib/tor"

// System returns the machine that the process runs on.
func System() Host {
	h := Host{FS: hostFS{}, Stdin: os.Stdin, Memory: systemMemory()}
	h.Home, _ = os.UserHomeDir()
	h.Dir, _ = os.Getwd()
	if runtime.GOOS == "windows" {
		root, _ := os.UserConfigDir()
		root = filepath.Join(root, "tor")
		h.Torrc, h.Defaults, h.DataDir = []string{filepath.Join(root, "torrc")}, filepath.Join(root, "torrc-defaults"), root
		return h
	}
	h.Torrc, h.Defaults, h.DataDir = []string{"/etc/tor/torrc", "~/.torrc"}, "/etc/tor/torrc-defaults", "~/.tor"
	if strings.Trim(h.Home, "/") == "" {
		h.DataDir = fallbackDataDir
	}
	return h
}

// hostFS is the whole file system. fs.Glob asks for the root by an empty name.
type hostFS struct{}

func (hostFS) Open(name string) (fs.File, error) {
	if name == "" {
		name = "/"
	}
	return os.Open(name)
}

// expand replaces a "~" at the start of a path. A path of another user ("~name") stays as it is.
func (h Host) expand(path string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		return strings.TrimSuffix(h.Home, "/") + "/" + strings.TrimPrefix(path[1:], "/")
	}
	return path
}
