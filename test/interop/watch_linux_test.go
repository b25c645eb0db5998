package interop_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// A watch knows every socket that a process makes: the kernel stops the calls about sockets, tells us of them, and lets them go on
// when we have taken note: seccomp_unotify(2). It needs no privileges.
type watch struct {
	listener int // the descriptor by which the kernel tells
	done     sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	calls []call
	bound map[uint64]netip.AddrPort // by descriptor, in the process
}

// A call is one that a process has made, of those that reach beyond it.
type call struct {
	what string // connect, listen, send; or udp or raw, for the making of such a socket
	addr netip.AddrPort
}

func (c call) String() string { return fmt.Sprintf("%s %v", c.what, c.addr) }

// all are the calls so far, each once.
func (w *watch) all() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := slices.Clone(w.calls)
	slices.SortFunc(list, func(a, b call) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(list)
}

// watched are the calls that the kernel tells of.
var watched = []uint32{unix.SYS_SOCKET, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG}

const (
	execVariable   = "TROPEA_INTEROP_EXEC"   // the program that this one is to become, watched
	socketVariable = "TROPEA_INTEROP_SOCKET" // where the listener goes
)

// becomeWatched turns this process, which runs TestMain, into a program that is watched, if the environment says so.
func becomeWatched() {
	bin := os.Getenv(execVariable)
	if bin == "" {
		return
	}
	runtime.LockOSThread() // the filter is that of this thread, and then of the program
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: os.Getenv(socketVariable), Net: "unix"})
	if err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		os.Exit(1)
	}
	listener, sent := make(chan int), make(chan error)
	go func() { // by another thread, which has no filter
		if fd := <-listener; fd >= 0 {
			_, _, err := conn.WriteMsgUnix([]byte{1}, unix.UnixRights(fd), nil)
			sent <- err
			return
		}
		_, err := conn.Write([]byte{0})
		sent <- err
	}()
	fd, err := filter()
	if err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		fd = -1
	}
	listener <- fd
	if err := <-sent; err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		os.Exit(1)
	}
	env := slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, execVariable+"=") || strings.HasPrefix(s, socketVariable+"=")
	})
	fmt.Fprintln(os.Stderr, "watch:", unix.Exec(bin, append([]string{bin}, os.Args[1:]...), env))
	os.Exit(1)
}

// filter makes the kernel tell of the calls of this thread.
func filter() (listener int, err error) {
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // seccomp_data.nr
	for i, nr := range watched {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(len(watched) - i), K: nr})
	}
	program = append(program,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
	)
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, fmt.Errorf("no_new_privs: %w", err)
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return -1, fmt.Errorf("seccomp: %w", errno)
	}
	return int(fd), nil
}

// startWatched starts a process that is watched until its end, which is that of the test at the latest; the watch is nil where the
// kernel does not let us.
func startWatched(t *testing.T, cfg ctor.Config) (*ctor.Process, *watch) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "watch")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	must(t, err)
	defer l.Close()
	cfg.Env = append(cfg.Env, execVariable+"="+cfg.Bin, socketVariable+"="+path)
	cfg.Bin, err = os.Executable()
	must(t, err)
	proc, err := ctor.Start(cfg)
	must(t, err)
	w := &watch{bound: map[uint64]netip.AddrPort{}}
	t.Cleanup(func() {
		must(t, proc.Stop())
		w.done.Wait()
	})
	l.SetDeadline(time.Now().Add(taskTimeout))
	conn, err := l.AcceptUnix()
	must(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(taskTimeout))
	var b [1]byte
	oob := make([]byte, 100)
	_, n, _, _, err := conn.ReadMsgUnix(b[:], oob)
	must(t, err)
	if b[0] == 0 {
		return proc, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	must(t, err)
	fds, err := unix.ParseUnixRights(&msgs[0])
	must(t, err)
	w.listener = fds[0]
	w.done.Go(w.serve)
	return proc, w
}

// notification and response are seccomp_notif and seccomp_notif_resp of the kernel.
type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type response struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

// serve takes note of calls until the process ends.
func (w *watch) serve() {
	defer unix.Close(w.listener)
	for {
		poll := []unix.PollFd{{Fd: int32(w.listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err != nil && !errors.Is(err, unix.EINTR) || poll[0].Revents&unix.POLLIN == 0 && poll[0].Revents != 0 {
			return
		}
		var n notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(w.listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue // it has been interrupted, or has ended
		}
		w.note(&n)
		r := response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		unix.Syscall(unix.SYS_IOCTL, uintptr(w.listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&r)))
	}
}

func (w *watch) note(n *notification) {
	w.mu.Lock()
	defer w.mu.Unlock()
	add := func(what string, addr netip.AddrPort) { w.calls = append(w.calls, call{what, addr}) }
	fd := n.args[0]
	switch uint32(n.nr) {
	case unix.SYS_SOCKET:
		family, kind := n.args[0], n.args[1]&0xf
		switch {
		case family != unix.AF_INET && family != unix.AF_INET6:
		case kind == unix.SOCK_DGRAM:
			add("udp", netip.AddrPort{})
		case kind != unix.SOCK_STREAM:
			add("raw", netip.AddrPort{})
		}
		delete(w.bound, fd)
	case unix.SYS_BIND:
		w.bound[fd], _ = sockaddr(n.pid, n.args[1], n.args[2])
	case unix.SYS_LISTEN:
		add("listen", w.bound[fd])
	case unix.SYS_CONNECT:
		if addr, ok := sockaddr(n.pid, n.args[1], n.args[2]); ok {
			add("connect", addr)
		}
	case unix.SYS_SENDTO:
		if addr, ok := sockaddr(n.pid, n.args[4], n.args[5]); ok {
			add("send", addr)
		}
	default: // no part of ours uses them for the network
		add("sendmsg", netip.AddrPort{})
	}
}

// sockaddr reads an address in the memory of a process. It is not ok if that is none of the internet.
func sockaddr(pid uint32, at, size uint64) (addr netip.AddrPort, ok bool) {
	if at == 0 || size < 16 || size > 128 {
		return addr, false
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return netip.AddrPort{}, true // whatever it is, it is not what is allowed
	}
	defer mem.Close()
	b := make([]byte, size)
	if _, err := mem.ReadAt(b, int64(at)); err != nil {
		return netip.AddrPort{}, true
	}
	port := binary.BigEndian.Uint16(b[2:])
	switch binary.NativeEndian.Uint16(b) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:])), port), true
	case unix.AF_INET6:
		if len(b) < 24 {
			return netip.AddrPort{}, true
		}
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:])).Unmap(), port), true
	}
	return addr, false
}

// A watch tells of a process that looks a name up: of the socket, and where it leads.
func TestWatch(t *testing.T) {
	bin, err := os.Executable()
	must(t, err)
	proc, w := startWatched(t, ctor.Config{Name: "probe", Bin: bin, Dir: t.TempDir(), Env: []string{traceProbe + "=caught.test"}})
	if w == nil {
		t.Skip("the kernel does not let us watch a process")
	}
	select {
	case <-proc.Done():
	case <-deadline(t, taskTimeout).Done():
		t.Fatal("the probe goes on and on")
	}
	calls := w.all()
	t.Log(calls)
	if !slices.Contains(calls, call{what: "udp"}) || !slices.ContainsFunc(calls, func(c call) bool { return c.addr.Port() == 53 }) {
		t.Error("the look-up of a name went unnoticed")
	}
}
