package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/app/config"
)

func TestKeyCommands(t *testing.T) {
	for _, tt := range []struct {
		args string
		want config.CommandLine
	}{
		{"--list-fingerprint", config.CommandLine{Command: config.ListFingerprint}},
		{"--list-fingerprint ed25519 --key-expiration sign", config.CommandLine{Command: config.KeyExpiration, Arg: "sign"}},
		{"--list-fingerprint --ignore-missing-torrc", config.CommandLine{Command: config.ListFingerprint, IgnoreMissing: true}},
		{"--key-expiration --format timestamp", config.CommandLine{Command: config.KeyExpiration, Format: "timestamp"}},
		{"--keygen-family -x", config.CommandLine{Command: config.KeygenFamily, Arg: "-x"}},
		{"--keygen --newpass --no-passphrase --master-key m", config.CommandLine{
			Command: config.Keygen, IgnoreMissing: true, NewPass: true, Passphrase: config.Passphrase{None: true}, MasterKey: "m",
		}},
		{"--passphrase-fd 0 --keygen", config.CommandLine{Command: config.Keygen, IgnoreMissing: true, Passphrase: config.Passphrase{HasFD: true}}},
		{"--newpass --version", config.CommandLine{Command: config.Version, Quiet: 1, NewPass: true}},
	} {
		got, err := config.ParseCommandLine(strings.Fields(tt.args))
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.args, diff)
		}
	}
}

// The words are C tor's: its tests look for them.
func TestKeyCommandErrors(t *testing.T) {
	for args, want := range map[string]string{
		"--newpass":                                  "--newpass specified without --keygen!",
		"--no-passphrase":                            "--no-passphrase specified without --keygen!",
		"--passphrase-fd 1":                          "--passphrase-fd specified without --keygen!",
		"--master-key x":                             "--master-key without --keygen!",
		"--format iso8601":                           "--format specified without --key-expiration!",
		"--keygen --format iso8601":                  "--format specified without --key-expiration!",
		"--key-expiration sign --newpass":            "--newpass specified without --keygen!",
		"--keygen --no-passphrase --passphrase-fd 3": "--no-passphrase specified with --passphrase-fd!",
		"--keygen --passphrase-fd x":                 `Invalid --passphrase-fd value "x"`,
		"--keygen --passphrase-fd -1":                `Invalid --passphrase-fd value "-1"`,
		"--keygen --passphrase-fd 2147483648":        `Invalid --passphrase-fd value "2147483648"`,
		"--key-expiration sign --format x":           `Invalid --format value "x"`,
		"--key-expiration sign --format":             "Command-line option '--format' with no value. Failing.",
		"--keygen-family":                            "Command-line option '--keygen-family' with no value. Failing.",
	} {
		if _, err := config.ParseCommandLine(strings.Fields(args)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
}
