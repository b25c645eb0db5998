// Command tropea is Tor in one binary: by itself a SOCKS proxy on 127.0.0.1:9050, with a torrc whatever that asks for, and
// with a verb a tool for people who run or test Tor networks.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tropea-net/tropea/internal/kit/bench"
	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// verbs are what tropea does besides being a tor. A first argument that is none of them is a torrc option or a flag.
var verbs = map[string]verb{
	"bench":   noInput(bench.Main),
	"gencert": gencert,
	"inspect": inspectVerb,
	"onion":   onionVerb,
	"testnet": noInput(testnet.Main),
}

// calledAs are the verbs that go by another name, too: that of C tor's tool.
var calledAs = map[string]verb{"tor-gencert": gencert}

// A verb gets what stands behind it on the command line, and returns the exit code.
type verb func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int

func noInput(f func(ctx context.Context, args []string, stdout, stderr io.Writer) int) verb {
	return func(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
		return f(ctx, args, stdout, stderr)
	}
}

func main() {
	os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run is the program. The name under which it was called counts: as tor it takes no verbs.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	args = args[1:]
	if verb, ok := calledAs[name]; ok {
		return verb(ctx, args, stdin, stdout, stderr)
	}
	if name != "tor" && len(args) > 0 {
		if verb, ok := verbs[args[0]]; ok {
			return verb(ctx, args[1:], stdin, stdout, stderr)
		}
	}
	return tor(ctx, args, stdin, stdout, stderr)
}

const usage = `Usage: %[1]s [-f torrc] [Option value]...
       %[1]s testnet [--fetch] [--help]
       %[1]s gencert [--help]
       %[1]s inspect [--help]
       %[1]s onion [--help]

Without arguments this is a SOCKS proxy into the Tor network, on 127.0.0.1:9050.

  -f FILE, --torrc-file FILE      read this configuration; "-" is standard input
  --defaults-torrc FILE           read this one before it
  --ignore-missing-torrc          go on without the file of -f if it is not there
  --verify-config                 check the configuration and exit
  --dump-config short|full        print the configuration and exit
  --list-torrc-options            print the names of all options
  --list-deprecated-options, --list-modules, --hash-password PASSWORD, --version
  --list-fingerprint [rsa|ed25519]
                                  print who this relay is; make its keys if it has none
  --keygen                        make a signing key, and a master key if there is none
    --newpass                     give the master key another passphrase
    --no-passphrase               leave it without one
    --passphrase-fd FD            read the passphrase from there, not from the terminal
    --master-key FILE             take the master key from there, or put it there
  --key-expiration sign [--format iso8601|timestamp]
                                  print when the signing key must be replaced
  --keygen-family NAME            make the key of a family of relays, in NAME.secret_family_key
  --hush, --quiet                 log warnings only, or nothing, to standard output
  --Option value, Option value    set an option of the torrc; +Option adds, /Option clears

  gencert                         make keys and certificate of a directory authority (also called tor-gencert)
  inspect                         check directory documents and show what is in them
  onion                           make, check, back up and import keys of onion services and their clients
  testnet                         bring up a private Tor network on this machine
`

func printUsage(w io.Writer, name string) { fmt.Fprintf(w, usage, name) }
