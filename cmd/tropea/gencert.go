package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/tropea-net/tropea/internal/app/logfmt"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// Sizes of an authority's keys, in bits.
const (
	identityBits = 3072
	signingBits  = 2048
	minAuthBits  = 1024 // of keys that are there
)

// Bounds of C tor: on the passphrase of an identity key in bytes, and on the life of a certificate in months.
const (
	minIdentityPassphrase = 4
	maxIdentityPassphrase = 1024
	maxMonths             = 24
)

const gencertUsage = `Syntax:
tor-gencert [-h|--help] [-v] [-r|--reuse] [--create-identity-key]
        [-i identity_key_file] [-s signing_key_file] [-c certificate_file]
        [-m lifetime_in_months] [-a address:port] [--passphrase-fd <fd>]
`

// certTool makes the keys and the certificate of a directory authority.
//
// https://spec.torproject.org/dir-spec/creating-key-certificates.html
type certTool struct {
	create, reuse, verbose  bool
	identity, signing, cert looseFile
	months                  int
	dirPort                 netip.AddrPort // invalid if not told
	fd                      int            // of the passphrase; -1 is the terminal
	lookup                  func(ctx context.Context, host string) ([]netip.Addr, error)
	stdin                   io.Reader
	stderr                  io.Writer
	log                     *slog.Logger
	now                     time.Time
}

// gencert is the verb, with the options and files of C tor's tor-gencert. As with that, asking for help is a failure.
func gencert(ctx context.Context, args []string, stdin io.Reader, _, stderr io.Writer) int {
	t := certTool{
		identity: "./authority_identity_key", signing: "./authority_signing_key", cert: "./authority_certificate",
		months: 12, fd: -1, stdin: stdin, stderr: stderr, now: time.Now(),
		lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
		},
	}
	if err := t.parse(ctx, args); err != nil {
		if err == errHelp {
			fmt.Fprint(stderr, gencertUsage)
		} else {
			fmt.Fprintln(stderr, err)
		}
		return 1
	}
	out := logfmt.New(stderr, stderr, logfmt.Hush)
	defer out.Close()
	if t.verbose {
		out.Debug()
	}
	t.log = slog.New(out.Handler())
	if err := t.run(); err != nil {
		t.log.Error(safelog.RevealText(err))
		return 1
	}
	return 0
}

var errHelp = errors.New("help")

func (t *certTool) parse(ctx context.Context, args []string) (err error) {
	seen := map[string]bool{}
	for len(args) > 0 && err == nil {
		opt := args[0]
		args = args[1:]
		var arg string
		switch opt {
		case "-i", "-s", "-c", "-m", "-a", "--passphrase-fd":
			if len(args) == 0 {
				return fmt.Errorf("no argument to %s", opt)
			}
			arg, args = args[0], args[1:]
		}
		switch opt {
		case "-h", "--help":
			return errHelp
		case "-v":
			t.verbose = true
		case "-r", "--reuse":
			t.reuse = true
		case "--create-identity-key":
			t.create = true
		case "-i", "-s", "-c":
			if seen[opt] {
				return fmt.Errorf("duplicate values for %s", opt)
			}
			seen[opt] = true
			*map[string]*looseFile{"-i": &t.identity, "-s": &t.signing, "-c": &t.cert}[opt] = looseFile(arg)
		case "-m":
			if t.months, err = strconv.Atoi(arg); err != nil || t.months < 0 || t.months > maxMonths {
				return errors.New("lifetime (in months) was out of range")
			}
		case "-a":
			t.dirPort, err = t.resolve(ctx, arg)
		case "--passphrase-fd":
			if t.fd, err = strconv.Atoi(arg); err != nil || t.fd < 0 {
				return fmt.Errorf("invalid --passphrase-fd value %q", arg)
			}
		default:
			return fmt.Errorf("unrecognized option %s", opt)
		}
	}
	return err
}

// resolve finds the IPv4 address of a directory port.
func (t *certTool) resolve(ctx context.Context, arg string) (netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(arg)
	port, portErr := strconv.ParseUint(portText, 10, 16)
	if err != nil || portErr != nil || port == 0 {
		return netip.AddrPort{}, fmt.Errorf("can't resolve address/port for %s", arg)
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if !addr.Is4() {
			return netip.AddrPort{}, fmt.Errorf("%s must resolve to an IPv4 address", arg)
		}
		return netip.AddrPortFrom(addr, uint16(port)), nil
	}
	addrs, err := t.lookup(ctx, host)
	if err != nil || len(addrs) == 0 {
		return netip.AddrPort{}, fmt.Errorf("can't resolve address/port for %s", arg)
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(port)), nil
}
