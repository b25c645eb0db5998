package ctor

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrControl is the error of a control port that refuses a command or answers out of form.
var ErrControl = errors.New("control port")

const (
	controlTimeout = 10 * time.Second // for one command
	maxReplies     = 64 << 20         // bytes a connection takes in
)

// Control is a connection to a control port. It is for use by one goroutine.
// https://spec.torproject.org/control-spec
type Control struct {
	conn net.Conn
	text *textproto.Conn
}

// DialControl connects to the control port at addr and authenticates with the cookie of the process in dir.
func DialControl(ctx context.Context, addr, dir string) (*Control, error) {
	cookie, err := os.ReadFile(filepath.Join(DataDir(dir), "control_auth_cookie"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrControl, err)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrControl, err)
	}
	limited := struct {
		io.Reader
		io.WriteCloser
	}{io.LimitReader(conn, maxReplies), conn}
	c := &Control{conn: conn, text: textproto.NewConn(limited)}
	if _, err := c.Do("AUTHENTICATE " + hex.EncodeToString(cookie)); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close closes the connection.
func (c *Control) Close() error { return c.text.Close() }

// Do sends a command and returns the lines of a positive reply without their codes. A data block follows the line that
// announced it. The last line is mostly "OK".
// https://spec.torproject.org/control-spec/message-format.html
func (c *Control) Do(command string) ([]string, error) {
	c.conn.SetDeadline(time.Now().Add(controlTimeout))
	verb, _, _ := strings.Cut(command, " ")
	if err := c.text.PrintfLine("%s", command); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrControl, verb, err)
	}
	lines, err := readReply(&c.text.Reader)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrControl, verb, err)
	}
	return lines, nil
}

func readReply(r *textproto.Reader) ([]string, error) {
	var lines []string
	for {
		line, err := r.ReadLine()
		if err != nil {
			return nil, err
		}
		if len(line) < 4 || line[0] != '2' {
			return nil, fmt.Errorf("%q", line)
		}
		lines = append(lines, line[4:])
		switch line[3] {
		case ' ':
			return lines, nil
		case '+':
			data, err := r.ReadDotLines()
			if err != nil {
				return nil, err
			}
			lines = append(lines, data...)
		}
	}
}

// GetInfo returns the lines of a GETINFO value, none for an empty one.
// https://spec.torproject.org/control-spec/commands.html#getinfo
func (c *Control) GetInfo(key string) ([]string, error) {
	lines, err := c.Do("GETINFO " + key)
	if err != nil {
		return nil, err
	}
	return infoValue(lines, key)
}

func infoValue(reply []string, key string) ([]string, error) {
	first, ok := strings.CutPrefix(reply[0], key+"=")
	if !ok || len(reply) < 2 {
		return nil, fmt.Errorf("%w: GETINFO %s: %q", ErrControl, key, reply[0])
	}
	value := reply[1 : len(reply)-1]
	if first != "" {
		value = append([]string{first}, value...)
	}
	return value, nil
}

// Signal sends a SIGNAL command, such as RELOAD.
func (c *Control) Signal(name string) error {
	_, err := c.Do("SIGNAL " + name)
	return err
}
