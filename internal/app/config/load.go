package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Config is a configuration that is complete and checked.
type Config struct {
	Values    *Values
	Base      *Values   // what Values would be without torrc and command line
	Torrc     string    // file that was read; empty if none
	Client    Client    // what the daemon needs to be a client
	Relay     Relay     // and what to be a relay
	Authority Authority // and what to be a directory authority
	Onions    Onions    // and to host onion services
	Messages  []Message // to log once the log is open
}

// Dump returns what --dump-config prints: all values, or those that differ from the defaults.
func (c *Config) Dump(full bool) []byte {
	if full {
		return c.Values.Dump(nil)
	}
	return c.Values.Dump(c.Base)
}

// CanBecome returns an error if now changes an option that a running program cannot change.
func (c *Config) CanBecome(now *Config) error {
	for o := range Options() {
		if o.Flags&Restart != 0 && c.Values.text(o) != now.Values.text(o) {
			return fmt.Errorf("while Tor is running, changing %s is not allowed", o.Name)
		}
	}
	return nil
}

// Load reads the files that the command line names and merges them with it. The second time it reads them anew, as
// SIGHUP wants it.
//
// Messages are returned with an error too: they tell what led to it.
func Load(cmd CommandLine, host Host) (*Config, error) {
	c := &Config{}
	base, err := c.read(host, cmd.Defaults, true, true, host.Defaults)
	if err != nil {
		return c, err
	}
	lines, err := c.readTorrc(cmd, host)
	if err != nil {
		return c, err
	}
	files := c.Messages
	for _, testing := range []bool{false, true} {
		err = c.merge(testing, base, lines, cmd.Lines)
		if err != nil || !c.Values.Bool("TestingTorNetwork") {
			break
		}
	}
	if err == nil {
		err = c.Values.check()
	}
	if err == nil {
		c.Client, err = newClient(c.Values, host)
	}
	if err == nil {
		c.Relay, err = newRelay(c.Values, host)
	}
	if err == nil {
		c.Authority, err = newAuthority(c.Values, host)
	}
	if err == nil {
		c.Onions, err = newOnions(c.Values, host)
	}
	if err == nil && c.Onions.NonAnonymous && len(c.Client.SocksPorts) > 0 {
		err = c.Values.at("HiddenServiceNonAnonymousMode").Errorf("cannot be set together with using Tor as an anonymous client: set SocksPort to 0")
	}
	if err == nil && len(c.Client.SocksPorts) == 0 && !c.Relay.Enabled() && len(c.Onions.Services) == 0 {
		c.Values.warn("SocksPort, TransPort, NATDPort, DNSPort, and ORPort are all undefined, and there aren't any onion services configured. Tor will still run, but probably won't do anything.")
	}
	c.Messages = append(files, c.Values.messages...)
	return c, err
}

// merge applies the sources, later ones over earlier ones.
func (c *Config) merge(testing bool, base, lines, args []torrc.Line) error {
	c.Values = newValues()
	c.Values.testing = testing
	if err := c.Values.assign(base); err != nil {
		return err
	}
	c.Base = c.Values.clone()
	if err := c.Values.assign(lines); err != nil {
		return err
	}
	return c.Values.assign(args)
}

func (c *Config) tell(format string, args ...any) {
	c.Messages = append(c.Messages, Message{safelog.LevelNotice, fmt.Sprintf(format, args...)})
}

// readTorrc reads the main file.
func (c *Config) readTorrc(cmd CommandLine, host Host) ([]torrc.Line, error) {
	if cmd.Torrc == "-" {
		text, err := io.ReadAll(io.LimitReader(host.Stdin, torrc.MaxBytes+1))
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return torrc.Parse("standard input", string(text), host.FS)
	}
	lines, err := c.read(host, cmd.Torrc, cmd.IgnoreMissing, false, host.Torrc...)
	if err != nil && cmd.AllowMissing && !errors.As(err, new(*torrc.Error)) {
		return nil, nil
	}
	return lines, err
}

// read reads one file: name, or if that is empty the first of the default places that exists. With silent, nothing is
// said about one that does not. One that is there and cannot be read is an error even at a default place: to run
// without what it says is not safe.
func (c *Config) read(host Host, name string, ignoreMissing, silent bool, places ...string) ([]torrc.Line, error) {
	isDefault := name == ""
	if isDefault {
		name = firstFile(host, places)
	}
	name = host.expand(name)
	text, err := readFile(host.FS, name)
	switch {
	case err == nil:
		c.tell(`Read configuration file "%s".`, name)
		if !silent {
			c.Torrc = name
		}
		return torrc.Parse(name, text, host.FS)
	case errors.Is(err, fs.ErrNotExist) && (isDefault || ignoreMissing):
		if !silent {
			c.tell(`Configuration file "%s" not present, using reasonable defaults.`, name)
		}
		return nil, nil
	}
	return nil, fmt.Errorf("unable to open configuration file %q: %w", name, err)
}

// firstFile returns the first of places that is a file, or the first.
func firstFile(host Host, places []string) string {
	for _, p := range places {
		if info, err := fs.Stat(host.FS, host.expand(p)); err == nil && !info.IsDir() {
			return p
		}
	}
	return places[0]
}

func readFile(fsys fs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, torrc.MaxBytes+1))
	return string(text), err
}
