package testnet

import (
	"bufio"
	"bytes"
	"cmp"
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

// A status is what a network tells of itself.
type status struct {
	pid   int
	dir   string
	state string
	nodes []nodeStatus
	url   string // of the page, if there is one
	logs  string // pattern of the names of files
}

// A nodeStatus is what it tells of a node. Ports that it has not are empty.
type nodeStatus struct {
	name                   string
	pid                    int
	orPort, dirPort, socks string
	onion                  string // address of an onion service
}

// status is that of the network.
func (n *Network) status(state, url string) *status {
	s := &status{pid: os.Getpid(), dir: n.Dir(), state: state, url: url, logs: nodeDir(n.Dir(), "*/log")}
	for _, node := range n.Nodes() {
		if p := node.process(); p != nil {
			x := nodeStatus{name: node.Name, pid: p.PID(), orPort: node.ORPort, dirPort: node.DirPort, socks: node.SOCKS}
			if node.Role == Onion {
				x.onion, _ = node.Hostname() // not there before the service is
			}
			s.nodes = append(s.nodes, x)
		}
	}
	return s
}

// socks lists the SOCKS ports of clients.
func (s *status) socks() (list []string) {
	for _, node := range s.nodes {
		if node.socks != "" {
			list = append(list, node.socks)
		}
	}
	return list
}

// onions lists the URLs of onion services.
func (s *status) onions() (list []string) {
	for _, node := range s.nodes {
		if node.onion != "" {
			list = append(list, "http://"+node.onion+"/")
		}
	}
	return list
}

// text is a keyword and its values a line:
//
//	pid PID
//	dir PATH
//	state starting|ready
//	node NAME PID ORPORT DIRPORT SOCKS   with - for what it has not
//	socks ADDRESS                        of each client
//	onion NAME ADDRESS                   of each onion service
//	url URL                              of the page, if there is one
func (s *status) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "pid %d\ndir %s\nstate %s\n", s.pid, s.dir, s.state)
	for _, node := range s.nodes {
		fmt.Fprintf(&b, "node %s %d", node.name, node.pid)
		for _, addr := range []string{node.orPort, node.dirPort, node.socks} {
			fmt.Fprint(&b, " ", cmp.Or(addr, none))
		}
		fmt.Fprintln(&b)
	}
	for _, addr := range s.socks() {
		fmt.Fprintln(&b, "socks", addr)
	}
	for _, node := range s.nodes {
		if node.onion != "" {
			fmt.Fprintln(&b, "onion", node.name, node.onion)
		}
	}
	if s.url != "" {
		fmt.Fprintln(&b, "url", s.url)
	}
	return b.Bytes()
}

const none = "-"

// write writes the network's own file, and another one that somebody waits for, if path is not empty.
func (s *status) write(path string) error {
	text := s.text()
	err := writeFile(filepath.Join(s.dir, statusName), text)
	if path != "" {
		err = errors.Join(err, writeFile(path, text))
	}
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

// writeFile writes a file that appears whole.
func writeFile(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
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
		for i, w := range words {
			if w == none {
				words[i] = ""
			}
		}
		node := nodeStatus{name: words[1], orPort: words[3], dirPort: words[4], socks: words[5]}
		node.pid, err = strconv.Atoi(words[2])
		s.nodes = append(s.nodes, node)
	case len(words) == 3 && words[0] == "onion":
		for i := range s.nodes {
			if s.nodes[i].name == words[1] {
				s.nodes[i].onion = words[2]
			}
		}
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
