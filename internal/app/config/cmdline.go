package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tropea-net/tropea/internal/app/logfmt"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Command is what the command line asks for.
type Command uint8

const (
	Run Command = iota
	VerifyConfig
	DumpConfig   // Arg: short, full or non-builtin
	HashPassword // Arg: the password
	Keygen
	KeygenFamily    // Arg: the start of the names of the files
	KeyExpiration   // Arg: "sign", or what is none
	ListFingerprint // Arg: rsa, ed25519, empty, or what is none
	Help
	Version
	ListOptions
	ListDeprecated
	ListModules
	LibraryVersions
)

// CommandLine is a command line in parts.
type CommandLine struct {
	Command       Command
	Arg           string       // of the command, if it takes one
	Torrc         string       // -f; "-" is standard input; empty: the default places
	Defaults      string       // --defaults-torrc
	IgnoreMissing bool         // --ignore-missing-torrc: a Torrc that is not there is an empty one
	AllowMissing  bool         // --allow-missing-torrc: so is one that cannot be read
	Quiet         logfmt.Quiet // --quiet, --hush, or as the command wants it
	Lines         []torrc.Line // settings

	Format     string // --format of KeyExpiration: iso8601 or timestamp; empty: the first
	Passphrase Passphrase
	NewPass    bool   // --newpass: Keygen changes the passphrase
	MasterKey  string // --master-key: the file of the master key; empty: the one in the key directory
}

// Passphrase says where Keygen has passphrases from; the zero Passphrase is the terminal.
type Passphrase struct {
	None  bool // --no-passphrase
	HasFD bool // --passphrase-fd FD
	FD    int
}

// A cmdlineError is an error in C tor's words, for which scripts look.
type cmdlineError string

func (e cmdlineError) Error() string { return string(e) }

type argument uint8

const (
	noArg argument = iota
	needsArg
	mayHaveArg // which never begins with a dash
)

// A flag is an argument that is no setting.
type flag struct {
	arg     argument
	command Command
	quiet   logfmt.Quiet
	set     func(c *CommandLine, arg string) error
	missing bool // C tor has it and this version does not
}

var flags = map[string]flag{
	"-f":                        {arg: needsArg, set: setTorrc},
	"--torrc-file":              {arg: needsArg, set: setTorrc},
	"--defaults-torrc":          {arg: needsArg, set: func(c *CommandLine, arg string) error { c.Defaults = arg; return nil }},
	"--ignore-missing-torrc":    {set: func(c *CommandLine, _ string) error { c.IgnoreMissing = true; return nil }},
	"--allow-missing-torrc":     {set: func(c *CommandLine, _ string) error { c.AllowMissing = true; return nil }},
	"--quiet":                   {quiet: logfmt.Silent},
	"--hush":                    {quiet: logfmt.Hush},
	"--verify-config":           {command: VerifyConfig},
	"--dump-config":             {arg: mayHaveArg, command: DumpConfig, quiet: logfmt.Silent},
	"--hash-password":           {arg: needsArg, command: HashPassword, quiet: logfmt.Hush},
	"-h":                        {command: Help, quiet: logfmt.Hush},
	"--help":                    {command: Help, quiet: logfmt.Hush},
	"--version":                 {command: Version, quiet: logfmt.Hush},
	"--list-torrc-options":      {command: ListOptions, quiet: logfmt.Hush},
	"--list-deprecated-options": {command: ListDeprecated},
	"--list-modules":            {command: ListModules, quiet: logfmt.Hush},
	"--library-versions":        {command: LibraryVersions, quiet: logfmt.Hush},

	// A master key is often made on a machine that has no torrc.
	"--keygen":           {command: Keygen, set: func(c *CommandLine, _ string) error { c.IgnoreMissing = true; return nil }},
	"--newpass":          {set: func(c *CommandLine, _ string) error { c.NewPass = true; return nil }},
	"--no-passphrase":    {set: func(c *CommandLine, _ string) error { c.Passphrase.None = true; return nil }},
	"--passphrase-fd":    {arg: needsArg, set: setPassphraseFD},
	"--master-key":       {arg: needsArg, set: func(c *CommandLine, arg string) error { c.MasterKey = arg; return nil }},
	"--keygen-family":    {arg: needsArg, command: KeygenFamily},
	"--key-expiration":   {arg: mayHaveArg, command: KeyExpiration},
	"--format":           {arg: needsArg, set: setFormat},
	"--list-fingerprint": {arg: mayHaveArg, command: ListFingerprint},

	"--nt-service": {missing: true}, "-nt-service": {missing: true}, "--service": {missing: true}, "--dbg-dump-subsystem-list": {missing: true},
}

func setTorrc(c *CommandLine, arg string) error {
	c.Torrc = arg
	return nil
}

func setPassphraseFD(c *CommandLine, arg string) error {
	fd, err := strconv.Atoi(arg)
	if err != nil || fd < 0 || fd > math.MaxInt32 {
		return cmdlineError(fmt.Sprintf("Invalid --passphrase-fd value %q", arg))
	}
	c.Passphrase.HasFD, c.Passphrase.FD = true, fd
	return nil
}

func setFormat(c *CommandLine, arg string) error {
	if arg != "iso8601" && arg != "timestamp" {
		return cmdlineError(fmt.Sprintf("Invalid --format value %q", arg))
	}
	c.Format = arg
	return nil
}

// ParseCommandLine parses the arguments behind the name of the program. Options may be written as "--Name value",
// "-Name value" or "Name value".
func ParseCommandLine(args []string) (CommandLine, error) {
	var c CommandLine
	torrcFlag := ""
	for num := 1; len(args) > 0; num++ {
		name := args[0]
		f, isFlag := flags[name]
		if !isFlag {
			line, rest, err := torrc.ParseArg(args)
			if err != nil {
				return c, err
			}
			line.Num = num
			c.Lines, args = append(c.Lines, line), rest
			continue
		}
		if f.missing {
			return c, fmt.Errorf("%s is not built in this version", name)
		}
		args = args[1:]
		arg := ""
		switch {
		case f.arg == needsArg && len(args) == 0:
			return c, cmdlineError(fmt.Sprintf("Command-line option '%s' with no value. Failing.", name))
		case f.arg == needsArg, f.arg == mayHaveArg && len(args) > 0 && !strings.HasPrefix(args[0], "-"):
			arg, args = args[0], args[1:]
		}
		if name == "-f" || name == "--torrc-file" {
			if torrcFlag != "" && torrcFlag != name {
				return c, fmt.Errorf("-f and --torrc-file cannot be used together")
			}
			torrcFlag = name
		}
		if f.set != nil {
			if err := f.set(&c, arg); err != nil {
				return c, err
			}
		}
		if f.command != Run && c.Command < Help { // what only prints wins; else the last one does
			c.Command, c.Arg = f.command, arg
		}
		c.Quiet = max(c.Quiet, f.quiet)
	}
	return c, c.check()
}

// check refuses flags that belong to another command.
func (c CommandLine) check() error {
	switch {
	case c.Command >= Help:
		return nil
	case c.Passphrase.None && c.Command != Keygen:
		return cmdlineError("--no-passphrase specified without --keygen!")
	case c.Format != "" && c.Command != KeyExpiration:
		return cmdlineError("--format specified without --key-expiration!")
	case c.NewPass && c.Command != Keygen:
		return cmdlineError("--newpass specified without --keygen!")
	case c.Passphrase.None && c.Passphrase.HasFD:
		return cmdlineError("--no-passphrase specified with --passphrase-fd!")
	case c.Passphrase.HasFD && c.Command != Keygen:
		return cmdlineError("--passphrase-fd specified without --keygen!")
	case c.MasterKey != "" && c.Command != Keygen:
		return cmdlineError("--master-key without --keygen!")
	case c.Command != DumpConfig:
		return nil
	}
	switch c.Arg {
	case "short", "full", "non-builtin":
		return nil
	}
	return fmt.Errorf("no valid argument to --dump-config found: select 'short' or 'full'")
}
