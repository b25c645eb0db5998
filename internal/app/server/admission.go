package server

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/role/dirauth/admit"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/keypin"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

const (
	approvedFile = "approved-routers"
	pinFile      = "key-pinning-journal"
)

// openPins reads the journal of pinned keys, and begins a new run in it.
func (a *authority) openPins() (*keypin.Pins, error) {
	e := a.s.cfg.Env
	text, err := e.State.Read(pinFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	pins, loaded, err := keypin.Load(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pinFile, err)
	}
	if loaded.Corrupt > 0 || loaded.Conflicts > 0 {
		a.s.log.Warn("The journal of pinned keys has lines that are no good", "file", pinFile, "pins", loaded.Pins, "corrupt", loaded.Corrupt, "conflicts", loaded.Conflicts)
	}
	return pins, e.State.Append(pinFile, keypin.AppendOpened(nil, e.Now()))
}

// admission is what the operator says of relays, with the file of single ones.
func (a *authority) admission() (admit.Config, error) {
	cfg := a.cfg.Admit
	cfg.Own, _ = a.s.Identities()
	text, err := a.s.cfg.Env.State.Read(approvedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg, nil
	}
	var warnings []error
	if err == nil {
		cfg.Approved, warnings, err = approvedrouters.Parse(approvedFile, text)
	}
	for _, w := range warnings {
		a.s.log.Warn("A line of approved-routers is left out", "err", w)
	}
	return cfg, err
}

// reload reads the files of the operator again.
func (a *authority) reload() {
	if a.keys != nil {
		if err := a.keys.Reload(); err != nil {
			a.s.log.Warn("The keys of the authority stay what they were", "err", err)
		}
	}
	cfg, err := a.admission()
	if err != nil {
		a.s.log.Warn("What the authority thinks of single relays stays what it was", "err", err)
		return
	}
	for _, r := range a.relays.Configure(cfg, a.s.cfg.Env.Now()) {
		a.s.log.Debug("A relay is not taken any more", "relay", r.Descriptor.Nickname)
	}
}

// loadRelays takes the descriptors that the directory cache has on disk: those of relays, or of bridges.
func (a *authority) loadRelays() {
	disk := a.s.cfg.Cache
	if disk == nil {
		disk = a.s.cfg.Env.State
	}
	store, now := dirstore.Store{Files: disk}, a.s.cfg.Env.Now()
	err := store.ReadSigned(dirstore.Routers, func(d dirstore.Signed) {
		if d.General() != (a.cfg.Bridges == nil) {
			return // a vote must not list what was a bridge authority's
		}
		if r, err := routerdesc.Parse(d.Text); err == nil && now.Before(r.KeysExpire) {
			a.relays.Add(r, false, now)
		}
	})
	if err != nil {
		a.s.log.Warn("The stored descriptors cannot be read", "err", err)
	}
}
