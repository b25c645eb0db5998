package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/tropea-net/tropea/internal/app/onion"
)

// maxBackupPassphrase bounds passphrases of backups, in bytes.
const maxBackupPassphrase = 1024

func (t *onionTool) passphraseFlags(fs *flag.FlagSet) {
	fs.IntVar(&t.fd, "passphrase-fd", -1, "read the passphrase from the first line of this file descriptor, not from the terminal")
}

func (t *onionTool) backupFlags(fs *flag.FlagSet) {
	t.passphraseFlags(fs)
	fs.IntVar(&t.work, "work", onion.Work, "work that each guess of the passphrase costs, and each restore: a number from 10, quick and in 1 MiB, to 20, seconds and 1 GiB; each step doubles it")
}

func (t *onionTool) passphrase(prompt string) ([]byte, error) {
	b, err := askLine(t.fd, t.stdin, t.stderr, prompt, maxBackupPassphrase+1)
	switch {
	case err != nil:
		return nil, err
	case len(b) == 0:
		return nil, errors.New("the passphrase is empty")
	case len(b) > maxBackupPassphrase:
		return nil, fmt.Errorf("the passphrase has more than %d bytes", maxBackupPassphrase)
	}
	return b, nil
}

// backup is "backup".
func (t *onionTool) backup(context.Context) error {
	dir, out := t.args[0], looseFile(t.args[1])
	if err := mustBeNew(string(out)); err != nil {
		return err
	}
	s, err := t.load(dir)
	if err != nil {
		return err
	}
	defer s.Key.Wipe()
	passphrase, err := t.passphrase("Passphrase for the backup: ")
	defer clear(passphrase)
	if err != nil {
		return err
	}
	if t.fd < 0 {
		again, err := t.passphrase("Once more: ")
		defer clear(again)
		if err != nil {
			return err
		}
		if !bytes.Equal(passphrase, again) {
			return errors.New("the passphrases differ")
		}
	}
	b, err := s.Backup(passphrase, t.work)
	if err != nil {
		return err
	}
	if err := out.create(b); err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	t.note("%s has the key of %s and %d authorized clients. It was read again and is sound. The program age opens it, too.", out, s.Address(), len(s.Clients))
	return nil
}

// restore is "restore".
func (t *onionTool) restore(context.Context) error {
	file, dir := t.args[0], t.args[1]
	if err := onion.Vacant(dir); err != nil {
		return err
	}
	b, err := readSmall(file)
	if err != nil {
		return err
	}
	if !onion.IsBackup(b) { // before anybody is asked for a passphrase
		return fmt.Errorf("%s: %w", file, onion.ErrBackup)
	}
	passphrase, err := t.passphrase("Passphrase of the backup: ")
	defer clear(passphrase)
	if err != nil {
		return err
	}
	s, err := onion.Restore(b, passphrase)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer s.Key.Wipe()
	return t.install(s, dir)
}

// importKey is "import".
func (t *onionTool) importKey(context.Context) error {
	file, dir := t.args[0], t.args[1]
	if err := onion.Vacant(dir); err != nil {
		return err
	}
	b, err := readSmall(file)
	defer clear(b)
	if err != nil {
		return err
	}
	s, err := onion.Import(b)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer s.Key.Wipe()
	return t.install(s, dir)
}
