package interop_test

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A socket is one that a process has had.
type socket struct {
	proto         string // tcp, udp, raw
	local, remote netip.AddrPort
	listens       bool
}

func (s socket) String() string {
	if s.listens {
		return fmt.Sprintf("%s listening at %v", s.proto, s.local)
	}
	return fmt.Sprintf("%s from %v to %v", s.proto, s.local, s.remote)
}

// A watch looks at the sockets of a process all the time, as Linux shows them.
type watch struct {
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	seen    map[socket]bool
	samples int
}

const watchPause = time.Millisecond

// watchSockets watches until the end of the test, or of the watch.
func watchSockets(t *testing.T, pid int) *watch {
	w := &watch{stop: make(chan struct{}), seen: map[socket]bool{}}
	w.done.Go(func() {
		for {
			w.look(fmt.Sprintf("/proc/%d", pid))
			select {
			case <-w.stop:
				return
			case <-time.After(watchPause):
			}
		}
	})
	t.Cleanup(func() { w.end() })
	return w
}

// end ends the watch and tells what it has seen.
func (w *watch) end() []socket {
	w.mu.Lock()
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	w.mu.Unlock()
	w.done.Wait()
	return slices.SortedFunc(maps.Keys(w.seen), func(a, b socket) int { return strings.Compare(a.String(), b.String()) })
}

// look takes a sample: the sockets in the tables that the process has a descriptor of before or after.
func (w *watch) look(proc string) {
	own := map[string]bool{}
	descriptors(proc, own)
	if len(own) == 0 {
		return
	}
	var rows []row
	for _, proto := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6"} {
		rows = append(rows, table(proc, proto)...)
	}
	descriptors(proc, own)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.samples++
	for _, r := range rows {
		if own[r.inode] {
			w.seen[r.socket] = true
		}
	}
}

// descriptors adds the inodes of a process's sockets.
func descriptors(proc string, to map[string]bool) {
	entries, _ := os.ReadDir(filepath.Join(proc, "fd")) // nothing once it has ended
	for _, e := range entries {
		link, _ := os.Readlink(filepath.Join(proc, "fd", e.Name()))
		if inode, ok := strings.CutPrefix(link, "socket:["); ok {
			to[strings.TrimSuffix(inode, "]")] = true
		}
	}
}

type row struct {
	socket
	inode string
}

// table reads a table of sockets: proc_pid_net(5).
func table(proc, proto string) (list []row) {
	text, _ := os.ReadFile(filepath.Join(proc, "net", proto))
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 10 || !strings.HasSuffix(f[0], ":") {
			continue
		}
		r := row{inode: f[9]}
		r.proto, r.listens = strings.TrimSuffix(proto, "6"), strings.HasPrefix(proto, "tcp") && f[3] == "0A"
		r.local, r.remote = hexAddr(f[1]), hexAddr(f[2])
		list = append(list, r)
	}
	return list
}

// hexAddr reads an address of such a table: words of the machine's order, here little endian, and a port.
func hexAddr(text string) netip.AddrPort {
	words, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(words)
	if err != nil || len(b)%4 != 0 {
		return netip.AddrPort{}
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	addr, _ := netip.AddrFromSlice(b)
	var n uint16
	fmt.Sscanf(port, "%x", &n)
	return netip.AddrPortFrom(addr.Unmap(), n)
}
