package daemon

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/app/server"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/dos"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// runningRelay is a relay at work.
type runningRelay struct {
	*server.Server
	keys   *statefile.Dir // KeyDirectory; nil if it is that of the data directory
	cancel context.CancelFunc
	ended  chan error // gets why it ended, once
}

// stop ends the relay and waits for it. It may be called again, and for nil.
func (r *runningRelay) stop() {
	if r == nil {
		return
	}
	r.cancel()
	r.ended <- <-r.ended
	r.Close()
	if r.keys != nil {
		r.keys.Close()
		r.keys = nil
	}
}

// startRelay runs the relay of the configuration, or returns nil if it has none.
func (d *Daemon) startRelay(ctx context.Context) (_ *runningRelay, err error) {
	if !d.cfg.Relay.Enabled() || d.cfg.Client.Process.DisableNetwork {
		return nil, nil
	}
	r := &runningRelay{ended: make(chan error, 1)}
	cfg, err := d.relayConfig()
	if err != nil {
		return nil, err
	}
	if dir := d.cfg.Relay.Keys.Directory; dir != "" {
		if r.keys, err = statefile.Open(d.log, dir, statefile.Options{Policy: statefile.Policy{GroupReadable: d.cfg.Relay.Keys.GroupReadable}}); err != nil {
			return nil, fmt.Errorf("KeyDirectory: %w", err)
		}
		cfg.Keys.KeyDirectory = r.keys
	}
	if r.Server, err = server.New(cfg); err != nil {
		if r.keys != nil {
			r.keys.Close()
		}
		return nil, fmt.Errorf("keys of the relay: %w", err)
	}
	rsa, ed := r.Identities()
	d.log.Log(ctx, safelog.LevelNotice, fmt.Sprintf("Your Tor server's identity key fingerprint is '%s %X'", d.cfg.Relay.Nickname, rsa))
	d.log.Log(ctx, safelog.LevelNotice, fmt.Sprintf("Your Tor server's identity key ed25519 fingerprint is '%s %s'", d.cfg.Relay.Nickname, edText(ed)))
	ctx, r.cancel = context.WithCancel(ctx)
	go func() {
		err := errPanic
		safego.Run(d.log, "relay", func() { err = r.Run(ctx) })
		r.ended <- err
	}()
	d.relay.Store(r.Server)
	return r, nil
}

// relayConfig turns what a torrc says into what a relay takes.
func (d *Daemon) relayConfig() (server.Config, error) {
	r := &d.cfg.Relay
	keys := relaykeys.Config{
		Nickname: r.Nickname, OfflineMasterKey: r.Keys.OfflineMaster,
		SigningKeyLifetime: r.Keys.SigningKeyLifetime, SigningKeySlop: r.Keys.SigningKeySlop, TLSLifetime: r.Keys.TLSLifetime,
		Families: relaykeys.Families{All: r.Families.AnyID},
	}
	for _, text := range r.Families.IDs {
		id, err := keyfile.ParseFamilyID([]byte(text + "\n"))
		if err != nil {
			return server.Config{}, fmt.Errorf("FamilyId %s: %w", text, err)
		}
		keys.Families.IDs = append(keys.Families.IDs, id)
	}
	dir := r.Families.Directory
	if dir == "" {
		dir = r.Keys.Directory
	}
	if dir == "" {
		dir = filepath.Join(d.cfg.Client.Process.DataDirectory, "keys")
	}
	keys.Families.Dir = os.DirFS(dir)
	return server.Config{
		Env: d.env(), State: d.state, Keys: keys,
		DirCache: r.DirCache, ExtendPrivate: r.ExtendPrivate, QueueDelay: r.Limits.MaxOnionDelay,
		Padding:  link.DefaultPadding,
		DoS:      dosConfig(&r.DoS),
		OwnAddrs: func() []netip.Addr { return nil },
	}, nil
}

// dosConfig turns the DoS options into what the defences take.
func dosConfig(d *config.DoS) (c dos.Config) {
	sw := func(b torrc.AutoBool) dos.Switch { return dos.Switch(b + 1) }
	c.Circuits.Enabled, c.Connections.Enabled, c.Streams.Enabled = sw(d.CircuitCreation), sw(d.Connection), sw(d.StreamCreation)
	c.Circuits.MinConnections, c.Circuits.Rate, c.Circuits.Burst = d.Circuit.MinConnections, d.Circuit.Rate, d.Circuit.Burst
	c.Circuits.Defense, c.Circuits.Period = d.Circuit.Defense, d.Circuit.Period
	c.Connections.MaxConcurrent, c.Connections.Rate, c.Connections.Burst = d.Conn.MaxConcurrent, d.Conn.ConnectRate, d.Conn.ConnectBurst
	c.Connections.Defense, c.Connections.Period = d.Conn.Defense, d.Conn.Period
	c.Streams.Rate, c.Streams.Burst, c.Streams.Defense = d.Stream.Rate, d.Stream.Burst, d.Stream.Defense
	c.RefuseSingleHop = sw(d.SingleHopRend)
	return c
}

// edText is an Ed25519 identity as the log and fingerprint-ed25519 have it.
func edText(id [32]byte) string { return base64.RawStdEncoding.EncodeToString(id[:]) }
