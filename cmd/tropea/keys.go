package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// keyTool is the commands about a relay's keys. They start nothing.
type keyTool struct {
	cmd            config.CommandLine
	cfg            *config.Config
	stdin          io.Reader
	stdout, stderr io.Writer
	log            *slog.Logger
}

// errSaid is the error of which the user has read already.
var errSaid = errors.New("see above")

// run runs the command, as the user of the option User, and returns the exit code.
func (t *keyTool) run() int {
	err := becomeUser(t.cfg.Client.Process.User)
	if err == nil {
		err = map[config.Command]func() error{
			config.Keygen: t.keygen, config.KeygenFamily: t.keygenFamily,
			config.KeyExpiration: t.expiration, config.ListFingerprint: t.fingerprint,
		}[t.cmd.Command]()
	}
	switch {
	case err == nil:
		return 0
	case err != errSaid:
		t.log.Error(safelog.RevealText(err))
	}
	return 1
}

func (t *keyTool) notice(format string, args ...any) {
	t.log.Log(context.Background(), safelog.LevelNotice, fmt.Sprintf(format, args...))
}

// keyDir is the path of the key directory.
func (t *keyTool) keyDir() string {
	if dir := t.cfg.Relay.Keys.Directory; dir != "" {
		return dir
	}
	return filepath.Join(t.cfg.Client.Process.DataDirectory, "keys")
}

// lockFile is the one that the daemon holds.
const lockFile = "lock"

// open opens the data directory, and the key directory if that is elsewhere. Families are left out: no command needs them.
func (t *keyTool) open() (data *statefile.Dir, keys relaykeys.Config, err error) {
	r := &t.cfg.Relay
	keys = relaykeys.Config{
		Nickname: r.Nickname, Bridge: t.cfg.Values.Bool("BridgeRelay"), OfflineMasterKey: r.Keys.OfflineMaster,
		SigningKeyLifetime: r.Keys.SigningKeyLifetime, SigningKeySlop: r.Keys.SigningKeySlop, TLSLifetime: r.Keys.TLSLifetime,
	}
	if data, err = statefile.Open(t.log, t.cfg.Client.Process.DataDirectory, statefile.Options{}); err != nil {
		return nil, keys, fmt.Errorf("couldn't create private data directory: %w", err)
	}
	if r.Keys.Directory == "" {
		return data, keys, nil
	}
	policy := statefile.Policy{GroupReadable: r.Keys.GroupReadable}
	dir, err := statefile.Open(t.log, r.Keys.Directory, statefile.Options{Policy: policy})
	if err != nil {
		data.Close()
		return nil, keys, fmt.Errorf("couldn't create private key directory: %w", err)
	}
	keys.KeyDirectory = dir
	return data, keys, nil
}

// withKeys calls f with the directories, locked if nobody else has locked them; if someone has, no key may change.
func (t *keyTool) withKeys(f func(relaykeys.Config, statefile.Store) (relaykeys.Report, error)) error {
	data, keys, err := t.open()
	if err != nil {
		return err
	}
	defer data.Close()
	release, err := data.Lock(lockFile)
	if err == nil {
		defer release()
	}
	keys.ReadOnly = err
	report, err := f(keys, data)
	for _, w := range report.Warnings {
		t.log.Warn(safelog.RevealText(w))
	}
	if report.Signing {
		t.notice("It looks like I need to generate and sign a new medium-term signing key: done.")
	}
	return err
}

// fingerprint is --list-fingerprint: it makes the keys of a new relay.
func (t *keyTool) fingerprint() error {
	if t.cmd.Arg != "" && t.cmd.Arg != "rsa" && t.cmd.Arg != "ed25519" {
		t.log.Error("If you give a key type, you must specify 'rsa' or 'ed25519'. Exiting.")
		return errSaid
	}
	if !t.cfg.Relay.Enabled() {
		t.log.Error("Clients don't have long-term identity keys. Exiting.")
		return errSaid
	}
	var s *relaykeys.Snapshot
	if err := t.withKeys(func(cfg relaykeys.Config, data statefile.Store) (relaykeys.Report, error) {
		ring, report, err := relaykeys.Load(cfg, data, time.Now())
		if err == nil {
			s = ring.Current()
		}
		return report, err
	}); err != nil {
		return err
	}
	nick, rsa, ed := t.cfg.Relay.Nickname, s.Fingerprint(), s.Ed()
	edText := base64.RawStdEncoding.EncodeToString(ed[:])
	t.notice("Your Tor server's identity key fingerprint is '%s %X'", nick, rsa)
	t.notice("Your Tor server's identity key ed25519 fingerprint is '%s %s'", nick, edText)
	// This is the last line: chutney takes that one.
	if t.cmd.Arg == "ed25519" {
		fmt.Fprintf(t.stdout, "%s %s\n", nick, edText)
		return nil
	}
	groups := make([]string, len(rsa)/2)
	for i := range groups {
		groups[i] = fmt.Sprintf("%X", rsa[2*i:2*i+2])
	}
	fmt.Fprintf(t.stdout, "%s %s\n", nick, strings.Join(groups, " "))
	return nil
}

// expiration is --key-expiration. Its line goes to standard error, and times are local, whatever C tor's manual says.
func (t *keyTool) expiration() error {
	if t.cmd.Arg != "sign" {
		fmt.Fprint(t.stderr, "No valid argument to --key-expiration found!\nCurrently recognised arguments are: 'sign'\n")
		return errSaid
	}
	var expires time.Time
	err := t.withKeys(func(cfg relaykeys.Config, data statefile.Store) (report relaykeys.Report, err error) {
		expires, report, err = relaykeys.SigningKey(cfg, data, time.Now())
		return report, err
	})
	if expires.IsZero() {
		return err
	}
	text := expires.Local().Format(time.DateTime)
	if t.cmd.Format == "timestamp" {
		text = strconv.FormatInt(expires.Unix(), 10)
	}
	t.notice("The signing certificate stored in %s is valid until %s.", filepath.Join(t.keyDir(), "ed25519_signing_cert"), text)
	fmt.Fprintf(t.stderr, "signing-cert-expiry: %s\n", text)
	return err
}

// keygen is --keygen.
func (t *keyTool) keygen() error {
	data, keys, err := t.open()
	if err != nil {
		return err
	}
	defer data.Close()
	gen := relaykeys.Keygen{
		Passphrases: newPassphrases(t.cmd.Passphrase, t.stdin, t.stderr), NewPassphrase: t.cmd.NewPass,
		Lock: func() (func(), error) { return data.Lock(lockFile) },
	}
	if t.cmd.MasterKey != "" {
		gen.Master = looseFile(t.cmd.MasterKey)
	}
	expires, err := gen.Run(keys, data, time.Now())
	if err != nil {
		return err
	}
	t.notice("There is a new signing key in %s, with a certificate that is valid until %s. If the relay is on another machine, copy ed25519_signing_secret_key, ed25519_signing_cert and ed25519_master_id_public_key there. A relay that runs takes them over at a HUP signal.",
		t.keyDir(), expires.Local().Format(time.DateTime))
	return nil
}

// keygenFamily is --keygen-family. The torrc must be sound, and counts for nothing else than User. It never replaces a secret key: all relays of the family would have to follow.
//
// https://spec.torproject.org/proposals/321-happy-families.html
func (t *keyTool) keygenFamily() error {
	secret, public := looseFile(t.cmd.Arg+".secret_family_key"), looseFile(t.cmd.Arg+".public_family_id")
	if _, err := os.Lstat(string(secret)); !errors.Is(err, fs.ErrNotExist) {
		t.log.Warn(fmt.Sprintf("Family key file '%s' already exists. Refusing to overwrite existing family key.", secret))
		return errSaid
	}
	key := keyfile.GenerateEd()
	defer key.Wipe()
	b, err := key.AppendTo(nil, keyfile.TagFamily)
	defer clear(b)
	if err == nil {
		err = secret.Write(b)
	}
	id := keyfile.AppendFamilyID(nil, key.ID())
	if err == nil {
		err = public.Write(id)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "# Generated %s\nFamilyId %s", secret, id)
	return nil
}

// looseFile is a file outside of the data directory, of which only the owner may know the content.
type looseFile string

// String returns the path.
func (f looseFile) String() string { return string(f) }

// Read returns the content of a file with one key, or nil if there is no such file.
func (f looseFile) Read() ([]byte, error) {
	r, err := os.Open(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, keyfile.MaxRSALen+1))
}

// Write replaces the file in one step.
func (f looseFile) Write(b []byte) error { return f.writeMode(b, 0o600) }

// create makes the file in one step, and refuses if it is there.
func (f looseFile) create(b []byte) error {
	if err := mustBeNew(string(f)); err != nil {
		return err
	}
	return f.Write(b)
}

// writeMode is Write with permissions.
func (f looseFile) writeMode(b []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(string(f)), strings.TrimPrefix(filepath.Base(string(f)), ".")+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	if _, err = tmp.Write(b); err == nil && mode != 0o600 {
		err = os.Chmod(tmp.Name(), mode)
	}
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), string(f))
	}
	if err != nil {
		os.Remove(tmp.Name())
		return err
	}
	if dir, err := os.Open(filepath.Dir(string(f))); err == nil {
		_ = dir.Sync() // not every system can
		dir.Close()
	}
	return nil
}
