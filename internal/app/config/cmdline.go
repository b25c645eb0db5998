package config

import (
	"fmt"
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
}

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
	set     func(c *CommandLine, arg string)
	missing bool // C tor has it and this version does not
}

var flags = map[string]flag{
	"-f":                        {arg: needsArg, set: setTorrc},
	"--torrc-file":              {arg: needsArg, set: setTorrc},
	"--defaults-torrc":          {arg: needsArg, set: func(c *CommandLine, arg string) { c.Defaults = arg }},
	"--ignore-missing-torrc":    {set: func(c *CommandLine, _ string) { c.IgnoreMissing = true }},
	"--allow-missing-torrc":     {set: func(c *CommandLine, _ string) { c.AllowMissing = true }},
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

	"--list-fingerprint": {missing: true}, "--keygen": {missing: true}, "--keygen-family": {missing: true}, "--key-expiration": {missing: true},
	"--format": {missing: true}, "--newpass": {missing: true}, "--no-passphrase": {missing: true}, "--passphrase-fd": {missing: true},
	"--master-key": {missing: true}, "--nt-service": {missing: true}, "-nt-service": {missing: true}, "--service": {missing: true},
	"--dbg-dump-subsystem-list": {missing: true},
}

func setTorrc(c *CommandLine, arg string) { c.Torrc = arg }

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
			return c, fmt.Errorf("command-line option '%s' with no value", name)
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
			f.set(&c, arg)
		}
		if f.command != Run && c.Command < Help { // what only prints wins; else the last one does
			c.Command, c.Arg = f.command, arg
		}
		c.Quiet = max(c.Quiet, f.quiet)
	}
	return c, c.check()
}

func (c CommandLine) check() error {
	if c.Command != DumpConfig {
		return nil
	}
	switch c.Arg {
	case "short", "full", "non-builtin":
		return nil
	}
	return fmt.Errorf("no valid argument to --dump-config found: select 'short' or 'full'")
}
