package testnet

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// errNoPath is the error of a client that does not tell the path of a stream.
var errNoPath = errors.New("no path found")

// A pathFinder finds the path of an open stream to target, host:port: the names of its hops, entry first.
type pathFinder interface {
	path(ctx context.Context, target string) ([]string, error)
}

// Path returns the hops of the open stream to target, host:port. It asks the client's control port, and where there is
// none, its log.
func (node *Node) Path(ctx context.Context, target string) ([]string, error) {
	var errs []error
	for _, f := range []pathFinder{controlPath{node}, logPath{node}} {
		hops, err := f.path(ctx, target)
		if err == nil {
			return hops, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// controlPath asks the control port which circuit has the stream, and for that circuit's path.
// https://spec.torproject.org/control-spec/commands.html#getinfo
type controlPath struct{ node *Node }

func (p controlPath) path(ctx context.Context, target string) ([]string, error) {
	c, err := p.node.Control(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	streams, err := c.GetInfo("stream-status")
	if err != nil {
		return nil, err
	}
	circuits, err := c.GetInfo("circuit-status")
	if err != nil {
		return nil, err
	}
	return streamPath(streams, circuits, target)
}

// streamPath joins the two lists. A stream is "ID STATUS CIRCUIT TARGET", a circuit "ID STATUS PATH ...". The port alone
// tells the stream: C tor replaces a name by the address that the exit reported.
func streamPath(streams, circuits []string, target string) ([]string, error) {
	for _, stream := range streams {
		s := strings.Fields(stream)
		if len(s) < 4 || port(s[3]) != port(target) {
			continue
		}
		for _, circuit := range circuits {
			if c := strings.Fields(circuit); len(c) >= 3 && c[0] == s[2] {
				return hopNames(c[2]), nil
			}
		}
	}
	return nil, fmt.Errorf("control port: %w for %s", errNoPath, target)
}

// port is what stands after the last colon.
func port(target string) string { return target[strings.LastIndexByte(target, ':')+1:] }

// logPath looks in the log of a Tropea client, at level info, for the circuit of the stream and then for the path of that
// circuit.
type logPath struct{ node *Node }

var (
	streamOpened = regexp.MustCompile(`stream opened: circ=(\d+) to=(\S+)`)
	circuitBuilt = regexp.MustCompile(`circuit built: circ=(\d+) path=(\S+)`)
)

func (p logPath) path(_ context.Context, target string) ([]string, error) {
	log, err := p.node.Log()
	if err != nil {
		return nil, err
	}
	return pathInLog(log, target)
}

// pathInLog finds the last stream to the port of target, and the circuit with its number that was built last before it: a client
// that was started anew counts from one again.
func pathInLog(log, target string) ([]string, error) {
	circ, end := "", 0
	for _, m := range streamOpened.FindAllStringSubmatchIndex(log, -1) {
		if port(log[m[4]:m[5]]) == port(target) {
			circ, end = log[m[2]:m[3]], m[0]
		}
	}
	var hops []string
	for _, m := range circuitBuilt.FindAllStringSubmatch(log[:end], -1) {
		if m[1] == circ {
			hops = hopNames(m[2])
		}
	}
	if hops == nil {
		return nil, fmt.Errorf("log: %w for %s", errNoPath, target)
	}
	return hops, nil
}

// hopNames are the nicknames in a path of $FINGERPRINT~NICKNAME hops. A hop without one stays as it is.
// https://spec.torproject.org/control-spec/message-format.html
func hopNames(path string) []string {
	hops := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(", \t\r", r) })
	for i, hop := range hops {
		if _, name, ok := strings.Cut(hop, "~"); ok {
			hops[i] = name
		}
	}
	return hops
}
