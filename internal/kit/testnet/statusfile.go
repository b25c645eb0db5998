package testnet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// statusName is the file in a network's directory that tells other processes of it.
const statusName = "status"

// The states of a network.
const (
	starting = "starting"
	ready    = "ready"
)

// statusText is what a network tells of itself, a keyword and its values a line:
//
//	pid PID
//	dir PATH
//	state starting|ready
//	node NAME PID ORPORT DIRPORT SOCKS   with - for what it has not
//	socks ADDRESS                        of each client
//	url URL                              of the page, if there is one
func (n *Network) statusText(state, url string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "pid %d\ndir %s\nstate %s\n", os.Getpid(), n.Dir(), state)
	for _, node := range n.Nodes() {
		if p := node.process(); p != nil {
			fmt.Fprintf(&b, "node %s %d", node.Name, p.PID())
			for _, addr := range []string{node.ORPort, node.DirPort, node.SOCKS} {
				if addr == "" {
					addr = "-"
				}
				fmt.Fprint(&b, " ", addr)
			}
			fmt.Fprintln(&b)
		}
	}
	for _, client := range n.withRole(Client) {
		if client.SOCKS != "" {
			fmt.Fprintln(&b, "socks", client.SOCKS)
		}
	}
	if url != "" {
		fmt.Fprintln(&b, "url", url)
	}
	return b.Bytes()
}

// writeStatus writes the network's own file, and another one that somebody waits for, if path is not empty.
func (n *Network) writeStatus(state, url, path string) error {
	text := n.statusText(state, url)
	err := writeFile(filepath.Join(n.Dir(), statusName), text)
	if path != "" {
		err = errors.Join(err, writeFile(path, text))
	}
	return err
}

// writeFile writes a file that appears whole.
func writeFile(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// A status is what a network told of itself.
type status struct {
	pid   int
	dir   string
	state string
	nodes []nodeStatus
}

type nodeStatus struct {
	name                   string
	pid                    int
	orPort, dirPort, socks string // - for none
}

var errStatus = errors.New("not the status of a test network")

const maxStatus = 1 << 20 // bytes

// readStatus reads what the network in dir told.
func readStatus(dir string) (*status, error) {
	f, err := os.Open(filepath.Join(dir, statusName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > maxStatus || !ours(info) {
		return nil, errors.Join(errStatus, err)
	}
	var s status
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if err := s.take(strings.Fields(lines.Text())); err != nil {
			return nil, fmt.Errorf("%w: %q: %w", errStatus, lines.Text(), err)
		}
	}
	if s.pid < 2 || s.state == "" {
		return nil, errStatus
	}
	s.dir = dir
	return &s, lines.Err()
}

func (s *status) take(words []string) (err error) {
	switch {
	case len(words) == 2 && words[0] == "pid":
		s.pid, err = strconv.Atoi(words[1])
	case len(words) == 2 && words[0] == "state":
		s.state = words[1]
	case len(words) == 6 && words[0] == "node":
		node := nodeStatus{name: words[1], orPort: words[3], dirPort: words[4], socks: words[5]}
		node.pid, err = strconv.Atoi(words[2])
		s.nodes = append(s.nodes, node)
	}
	return err
}

// inUse tells whether a network runs in dir: its process holds the lock.
func inUse(dir string) (bool, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	defer lock.Close()
	switch err := tryLock(lock); {
	case err == nil:
		return false, nil
	case errors.Is(err, errors.ErrUnsupported):
		return false, err
	}
	return true, nil
}

// findRuns lists the directories of the networks that run: dir, or without one all that have a temporary directory.
func findRuns(dir string) (runs []string, err error) {
	dirs := []string{dir}
	if dir == "" {
		dirs, _ = filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*"))
	}
	for _, d := range dirs {
		if info, err := os.Stat(d); err != nil || !ours(info) {
			if dir != "" {
				return nil, errors.Join(fmt.Errorf("%s is no directory of ours", d), err)
			}
			continue
		}
		if _, err := os.Stat(filepath.Join(d, statusName)); err != nil && dir == "" {
			continue
		}
		used, err := inUse(d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d, err)
		}
		if used {
			runs = append(runs, d)
		}
	}
	switch {
	case len(runs) > 0:
		return runs, nil
	case dir != "":
		return nil, fmt.Errorf("no test network runs in %s", dir)
	}
	return nil, errors.New("no test network runs; for one with --keep, name its directory")
}
