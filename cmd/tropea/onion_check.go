package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tropea-net/tropea/internal/app/onion"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// reachFlags are the flags of "check".
type reachFlags struct {
	reach   bool
	port    uint
	auth    string
	timeout time.Duration
}

func (t *onionTool) checkFlags(fs *flag.FlagSet) {
	r := &t.reach
	fs.BoolVar(&r.reach, "reach", false, "connect to the service through Tor")
	fs.UintVar(&r.port, "port", 80, "port for --reach")
	fs.StringVar(&r.auth, "auth", "", "`file` .auth_private for --reach, if the service is for authorized clients alone")
	fs.DurationVar(&r.timeout, "timeout", 2*time.Minute, "how long --reach tries once Tor works")
	t.clientFlags(fs)
}

// check is "check".
func (t *onionTool) check(ctx context.Context) error {
	addr, err := onion.Check(t.args[0])
	if err != nil {
		return fmt.Errorf("%q is not the address of an onion service: %w", t.args[0], err)
	}
	t.note("Length, version 3, checksum and key are right.")
	if t.reach.reach {
		if err := t.dial(ctx, addr.String()); err != nil {
			return err
		}
	}
	fmt.Fprintln(t.stdout, addr)
	return nil
}

// dial connects to a service.
func (t *onionTool) dial(ctx context.Context, host string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if t.reach.port == 0 || t.reach.port > 65535 {
		return errors.New("--port must be from 1 to 65535")
	}
	var auth []string
	if t.reach.auth != "" {
		b, err := readSmall(t.reach.auth)
		defer clear(b)
		if err == nil {
			_, err = keyfile.ParseClientAuth(b)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.reach.auth, err)
		}
		auth = append(auth, strings.TrimSpace(string(b)))
	}
	c, err := t.client(ctx, auth...)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, t.reach.timeout)
	defer cancel()
	begin := time.Now()
	conn, err := c.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(int(t.reach.port))))
	if err != nil {
		return fmt.Errorf("not reachable: %w", err)
	}
	conn.Close()
	t.note("The service is there: it took a connection to port %d after %v.", t.reach.port, time.Since(begin).Round(time.Millisecond))
	return nil
}
