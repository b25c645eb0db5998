package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/tropea-net/tropea/internal/app/onion"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// authFlags are the flags of "auth".
type authFlags struct {
	out  string
	open bool
}

func (t *onionTool) authAddFlags(fs *flag.FlagSet) {
	fs.StringVar(&t.auth.out, "out", "", "write the client's secret to this `file`, not to standard output")
}

func (t *onionTool) authImportFlags(fs *flag.FlagSet) {
	fs.StringVar(&t.auth.out, "out", "", "write the secret to this `file`, not to standard output")
}

func (t *onionTool) authRemoveFlags(fs *flag.FlagSet) {
	fs.BoolVar(&t.auth.open, "open", false, "remove the last client, too, and so open the service to everybody")
}

const reload = "A Tor that runs takes notice when it gets a HUP signal."

// authAdd is "auth add".
func (t *onionTool) authAdd(context.Context) error {
	dir, c := t.args[0], onion.Client{Name: t.args[1]}
	s, err := t.load(dir)
	if err != nil {
		return err
	}
	defer s.Key.Wipe()
	if len(t.args) > 2 {
		if t.auth.out != "" {
			return errors.New("--out is for a secret that is made here, but a public key was given")
		}
		if c.Key, err = onion.ParseClientKey(t.args[2]); err != nil {
			return fmt.Errorf("the client's public key must be 52 letters and digits of base32, or \"descriptor:x25519:\" and these: %w", err)
		}
		err = onion.Authorize(t.log, dir, c)
	} else {
		err = t.authMake(s, dir, c)
	}
	if err != nil {
		return err
	}
	if len(s.Clients) == 0 {
		t.note("From now on the service is for its authorized clients alone.")
	}
	t.note(reload)
	return nil
}

// authMake makes a client's key. The secret is in its file before the service knows the client.
func (t *onionTool) authMake(s *onion.Service, dir string, c onion.Client) error {
	key, err := onion.NewClientKey(s.Address())
	if err != nil {
		return err
	}
	c.Key = key.Public()
	text, err := key.AppendTo(nil)
	defer clear(text)
	if err != nil {
		return err
	}
	if t.auth.out != "" {
		if err := t.writeSecret(text); err != nil {
			return err
		}
		return onion.Authorize(t.log, dir, c)
	}
	if err := onion.Authorize(t.log, dir, c); err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "%s\n", text)
	t.note("That line is the client's secret, and is kept nowhere else: it belongs into %s%s in the client's ClientOnionAuthDir.", c.Name, keyfile.ClientAuthSuffix)
	return nil
}

// authImport is "auth import". Arti has a client's keys in a directory that is called as the service.
func (t *onionTool) authImport(context.Context) error {
	file := t.args[0]
	var name string
	if len(t.args) > 1 {
		name = t.args[1]
	} else {
		path, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		name = filepath.Base(filepath.Dir(path))
	}
	service, err := onionaddr.ParseLabel(strings.TrimSuffix(name, onionaddr.Suffix))
	if err != nil {
		return fmt.Errorf("%q: %w; say the service's ADDRESS behind the file", name, err)
	}
	b, err := readSmall(file)
	defer clear(b)
	if err != nil {
		return err
	}
	key, err := onion.ImportClient(b, service)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	text, err := key.AppendTo(nil)
	defer clear(text)
	if err != nil {
		return err
	}
	if t.auth.out == "" {
		fmt.Fprintf(t.stdout, "%s\n", text)
		t.note("That line is the client's secret: it belongs into ClientOnionAuthDir, in a file whose name ends in %s.", keyfile.ClientAuthSuffix)
		return nil
	}
	return t.writeSecret(text)
}

// writeSecret writes a client's secret to the file that --out names.
func (t *onionTool) writeSecret(text []byte) error {
	if err := looseFile(t.auth.out).create(append(text, '\n')); err != nil {
		return fmt.Errorf("cannot write the client's secret: %w", err)
	}
	t.note("The client's secret is in %s: it belongs into ClientOnionAuthDir, with a name that ends in %s.", t.auth.out, keyfile.ClientAuthSuffix)
	return nil
}

// authRemove is "auth remove".
func (t *onionTool) authRemove(context.Context) error {
	dir, name := t.args[0], t.args[1]
	err := onion.Revoke(t.log, dir, name, t.auth.open)
	if errors.Is(err, onion.ErrPublic) {
		return fmt.Errorf("%w; add another client first, or say --open", err)
	}
	if err == nil {
		t.note(reload)
	}
	return err
}

// authList is "auth list".
func (t *onionTool) authList(context.Context) error {
	list, err := onion.Clients(t.args[0])
	if err != nil {
		return err
	}
	for _, c := range list {
		if c.Err != nil {
			t.note("%s: %v; Tor ignores this file", c.Name, c.Err)
			err = errSaid
			continue
		}
		fmt.Fprintf(t.stdout, "%s %s\n", c.Name, onion.FormatClientKey(c.Key))
	}
	if len(list) == 0 {
		t.note("There are none: everybody may use the service.")
	}
	return err
}
