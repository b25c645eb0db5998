package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/tropea-net/tropea/internal/app/logfmt"
	"github.com/tropea-net/tropea/internal/app/onion"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// Exit codes of onion.
const (
	onionDone   = 0
	onionFailed = 1 // or what was checked is not sound
	onionUsage  = 2
)

const onionSynopsis = `usage: tropea onion COMMAND [flags] ARGUMENT...

Makes and keeps the key directories of onion services, as HiddenServiceDir of C tor's torrc takes them, and serves them.

  new [DIR]                  make a directory with a new key, and print its address
  show DIR|FILE              show what is in a directory or in one of its files, and check it
  check ADDRESS              check an address, and say what is wrong with it; with --reach, connect to the service
  backup DIR FILE            write an encrypted backup of a directory
  restore FILE DIR           make a directory of a backup
  import FILE DIR            make a directory of C tor's or Arti's key file, or of a key of a control port
  auth add DIR NAME [KEY]    let a client use the service, and nobody else who is not let so; without its public key, make one
  auth remove DIR NAME       forget a client
  auth list DIR              list the clients
  auth import FILE [ADDRESS] make a line for ClientOnionAuthDir of the key file of a client of Arti's
  vanity PREFIX... [flags]   search for a key whose address begins so
  serve localhost:PORT       be an onion service that leads to a local server, until it is stopped
  share FILE|DIR             be an onion service that gives away files, until it is stopped

"tropea onion COMMAND --help" lists the flags of a command. Without DIR the directory is called as the address. Nothing is overwritten.
`

// onionTool is the verb.
type onionTool struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	log            *slog.Logger

	args []string
	fd   int // of the passphrase; -1 is the terminal
	work int // of a backup
	auth authFlags
	hunt huntFlags

	tor     torFlags
	serving serveFlags
	reach   reachFlags
}

// onionCommand is a command of the verb. It takes least to most arguments.
type onionCommand struct {
	args        string
	least, most int
	flags       func(*onionTool, *flag.FlagSet) // nil if there are none
	run         func(*onionTool, context.Context) error
}

const anyNumber = 1 << 10

var onionCommands = map[string]onionCommand{
	"new":         {"[DIR]", 0, 1, nil, (*onionTool).makeNew},
	"show":        {"DIR|FILE", 1, 1, nil, (*onionTool).show},
	"check":       {"ADDRESS", 1, 1, (*onionTool).checkFlags, (*onionTool).check},
	"backup":      {"DIR FILE", 2, 2, (*onionTool).backupFlags, (*onionTool).backup},
	"restore":     {"FILE DIR", 2, 2, (*onionTool).passphraseFlags, (*onionTool).restore},
	"import":      {"FILE DIR", 2, 2, nil, (*onionTool).importKey},
	"auth add":    {"DIR NAME [KEY]", 2, 3, (*onionTool).authAddFlags, (*onionTool).authAdd},
	"auth remove": {"DIR NAME", 2, 2, (*onionTool).authRemoveFlags, (*onionTool).authRemove},
	"auth import": {"FILE [ADDRESS]", 1, 2, (*onionTool).authImportFlags, (*onionTool).authImport},
	"auth list":   {"DIR", 1, 1, nil, (*onionTool).authList},
	"serve":       {"HOST:PORT|unix:PATH", 1, 1, (*onionTool).serveFlags, (*onionTool).serve},
	"share":       {"FILE|DIR", 1, 1, (*onionTool).serveFlags, (*onionTool).share},
	"vanity":      {"PREFIX...", 1, anyNumber, (*onionTool).huntFlags, (*onionTool).vanity},
}

func onionVerb(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := onionTool{stdin: stdin, stdout: stdout, stderr: stderr, fd: -1}
	cmd, err := t.parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return onionDone
	case err != nil:
		return onionUsage
	}
	out := logfmt.New(stderr, stderr, logfmt.Hush)
	defer out.Close()
	t.log = slog.New(out.Handler())
	if err := cmd.run(&t, ctx); err != nil {
		if err != errSaid {
			fmt.Fprintln(stderr, "tropea onion:", safelog.RevealText(err))
		}
		return onionFailed
	}
	return onionDone
}

// parse finds the command, and takes flags before, between and after its arguments.
func (t *onionTool) parse(args []string) (cmd onionCommand, err error) {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	if name == "auth" && len(args) > 0 {
		name, args = name+" "+args[0], args[1:]
	}
	cmd, ok := onionCommands[name]
	if !ok {
		fmt.Fprint(t.stderr, onionSynopsis)
		if name == "--help" || name == "-h" || name == "-help" || name == "help" {
			return cmd, flag.ErrHelp
		}
		return cmd, errors.New("unknown command")
	}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(t.stderr)
	fs.Usage = func() {
		fmt.Fprintf(t.stderr, "usage: tropea onion %s %s\n", name, cmd.args)
		fs.PrintDefaults()
	}
	if cmd.flags != nil {
		cmd.flags(t, fs)
	}
	for {
		if err := fs.Parse(args); err != nil {
			return cmd, err
		}
		if args = fs.Args(); len(args) == 0 {
			break
		}
		t.args, args = append(t.args, args[0]), args[1:]
	}
	if n := len(t.args); n < cmd.least || n > cmd.most {
		fs.Usage()
		return cmd, fmt.Errorf("%d arguments", n)
	}
	return cmd, nil
}

func (t *onionTool) note(format string, args ...any) { fmt.Fprintf(t.stderr, format+"\n", args...) }

// makeNew is "new".
func (t *onionTool) makeNew(context.Context) error {
	s := onion.New()
	defer s.Key.Wipe()
	dir := s.Address().String()
	if len(t.args) > 0 {
		dir = t.args[0]
	}
	return t.install(s, dir)
}

// install makes the directory, and says so: the address to standard output, for programs, and the rest to people.
func (t *onionTool) install(s *onion.Service, dir string) error {
	if err := s.Install(t.log, dir); err != nil {
		return err
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		path = dir
	}
	fmt.Fprintln(t.stdout, s.Address())
	t.note("The key is in %s: whoever has it has the address, and without it the address is lost. For a torrc:\n  HiddenServiceDir %s\n  HiddenServicePort 80 127.0.0.1:8080",
		dir, path)
	return nil
}

// show is "show".
func (t *onionTool) show(context.Context) error {
	info, err := os.Stat(t.args[0])
	if err != nil {
		return err
	}
	if info.IsDir() {
		return t.showDir(t.args[0])
	}
	b, err := readSmall(t.args[0])
	defer clear(b)
	if err != nil {
		return err
	}
	text, err := onion.Describe(b)
	if err != nil {
		return fmt.Errorf("%s: %w", t.args[0], err)
	}
	fmt.Fprint(t.stdout, text)
	return nil
}

func (t *onionTool) showDir(dir string) error {
	s, err := t.load(dir)
	if err != nil {
		return err
	}
	defer s.Key.Wipe()
	id := s.Key.ID()
	fmt.Fprintf(t.stdout, "address     %s\npublic key  %s\n", s.Address(), base64.RawStdEncoding.EncodeToString(id[:]))
	if len(s.Clients) == 0 {
		fmt.Fprintln(t.stdout, "clients     everybody")
	}
	for _, c := range s.Clients {
		fmt.Fprintf(t.stdout, "client      %s %s\n", c.Name, onion.FormatClientKey(c.Key))
	}
	return nil
}

// load reads a directory, and tells what is odd about it.
func (t *onionTool) load(dir string) (*onion.Service, error) {
	s, notes, err := onion.Load(dir)
	for _, n := range notes {
		t.note("Note: %s.", n)
	}
	return s, err
}

// readSmall reads a file with a key or a backup.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const most = 16 << 20
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(b) > most {
		err = fmt.Errorf("%s: more than %d bytes", name, most)
	}
	return b, err
}

// mustBeNew refuses a file that is there.
func mustBeNew(name string) error {
	_, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s %w: choose another name", name, onion.ErrExists)
	}
	return err
}
