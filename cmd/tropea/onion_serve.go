package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tropea-net/tropea"
	"github.com/tropea-net/tropea/internal/app/onion"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// serveFlags are the flags of "serve" and "share".
type serveFlags struct {
	dir     string
	port    uint
	private bool
	pow     bool
}

func (t *onionTool) serveFlags(fs *flag.FlagSet) {
	s := &t.serving
	fs.StringVar(&s.dir, "dir", "", "the service of this key `directory`, which is made if it is not there; without it, the address is new each time, and its key is kept nowhere")
	fs.UintVar(&s.port, "port", 80, "port of the service")
	fs.BoolVar(&s.private, "private", false, "for one client alone, whose secret is made and printed")
	fs.BoolVar(&s.pow, "pow", false, "make clients work for their connections while there are too many of them")
	t.clientFlags(fs)
}

// serve is "serve".
func (t *onionTool) serve(ctx context.Context) error {
	network, addr, ok := target(t.args[0])
	if !ok {
		return fmt.Errorf("%s: a local server is called localhost:PORT or unix:PATH", t.args[0])
	}
	dial := func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, addr) }
	return t.listen(ctx, func(ctx context.Context, l net.Listener, host string) error {
		fmt.Fprintln(t.stdout, host)
		t.note("Connections to %s go to %s.", l.Addr(), t.args[0])
		return onion.Forward(ctx, t.log, l, dial, func(err error) { t.note("Cannot reach %s: %v", t.args[0], safelog.RevealText(err)) })
	})
}

// target reads the name of a local server: a port alone is one of this machine.
func target(arg string) (network, addr string, ok bool) {
	if path, ok := strings.CutPrefix(arg, "unix:"); ok {
		return "unix", path, path != ""
	}
	if _, err := strconv.ParseUint(arg, 10, 16); err == nil {
		arg = "localhost:" + arg
	}
	host, port, err := net.SplitHostPort(arg)
	n, portErr := strconv.ParseUint(port, 10, 16)
	return "tcp", arg, err == nil && portErr == nil && host != "" && n > 0
}

// share is "share".
func (t *onionTool) share(ctx context.Context) error {
	name, only := t.args[0], ""
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return err
	case info.Mode().IsRegular():
		if name, err = filepath.Abs(name); err != nil {
			return err
		}
		name, only = filepath.Dir(name), filepath.Base(name)
	case !info.IsDir():
		return fmt.Errorf("%s is neither a file nor a directory", name)
	}
	if strings.HasPrefix(only, ".") {
		return fmt.Errorf("%s: what begins with a dot is not shared", t.args[0])
	}
	root, err := os.OpenRoot(name) // nothing outside can be reached, not by a link either
	if err != nil {
		return err
	}
	defer root.Close()
	return t.listen(ctx, func(ctx context.Context, l net.Listener, host string) error {
		if t.serving.port != 80 {
			host = l.Addr().String()
		}
		fmt.Fprintf(t.stdout, "http://%s/\n", host)
		t.note("Whoever has this address can read %s until this program ends.", t.args[0])
		server := http.Server{Handler: onion.Share(root.FS(), only), ReadHeaderTimeout: time.Minute, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 16 << 10}
		defer server.Close()
		defer context.AfterFunc(ctx, func() { server.Close() })()
		return server.Serve(l)
	})
}

// listen starts a Tor client and an onion service, and calls serve with it, until that fails or the user has had enough.
func (t *onionTool) listen(ctx context.Context, serve func(ctx context.Context, l net.Listener, host string) error) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, host, err := t.serviceConfig()
	if err != nil {
		return err
	}
	defer clear(cfg.Key)
	client, err := t.client(ctx)
	if err != nil {
		return t.stopped(ctx, err)
	}
	defer client.Close()
	t.note("Tor works. Announcing the service, which takes up to a minute.")
	l, err := client.Listen(ctx, cfg)
	if err != nil {
		return t.stopped(ctx, err)
	}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	return t.stopped(ctx, serve(ctx, l, host))
}

// stopped makes no error of what the user wanted.
func (t *onionTool) stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		t.note("Stopped.")
		return nil
	}
	return err
}

// serviceConfig reads or makes the key, and says who may use the service.
func (t *onionTool) serviceConfig() (cfg tropea.OnionConfig, host string, err error) {
	s := onion.New()
	if dir := t.serving.dir; dir != "" {
		if onion.Vacant(dir) == nil {
			err = s.Install(t.log, dir)
		} else {
			s.Key.Wipe()
			s, err = t.load(dir)
		}
		if err != nil {
			return cfg, "", err
		}
	}
	defer s.Key.Wipe()
	if t.serving.port == 0 || t.serving.port > 65535 {
		return cfg, "", errors.New("--port must be from 1 to 65535")
	}
	expanded, err := s.Key.Expanded()
	defer clear(expanded[:])
	if err != nil {
		return cfg, "", err
	}
	cfg = tropea.OnionConfig{Key: append([]byte(nil), expanded[:]...), Ports: []uint16{uint16(t.serving.port)}, ProofOfWork: t.serving.pow}
	for _, c := range s.Clients {
		cfg.Clients = append(cfg.Clients, c.Key)
	}
	if t.serving.private {
		key, err := onion.NewClientKey(s.Address())
		if err != nil {
			return cfg, "", err
		}
		text, err := key.AppendTo(nil)
		if err != nil {
			return cfg, "", err
		}
		cfg.Clients = append(cfg.Clients, key.Public())
		fmt.Fprintf(t.stdout, "%s\n", text)
		t.note("That line is the client's secret: it belongs into a file in its ClientOnionAuthDir, with a name that ends in .auth_private. In Tor Browser, what follows the last colon is the key it asks for.")
	}
	return cfg, s.Address().String(), nil
}
