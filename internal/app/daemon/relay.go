package daemon

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/tropea-net/tropea/internal/app/server"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/lib/statefile"
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
	if !d.cfg.Relay.Enabled() {
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
	if d.cfg.Client.Process.DisableNetwork { // the keys are made all the same
		r.ended <- nil
		r.cancel = func() {}
		r.stop()
		return nil, nil
	}
	ctx, r.cancel = context.WithCancel(ctx)
	go func() {
		err := errPanic
		safego.Run(d.log, "relay", func() { err = r.Run(ctx) })
		r.ended <- err
	}()
	d.relay.Store(r.Server)
	return r, nil
}

// edText is an Ed25519 identity as the log and fingerprint-ed25519 have it.
func edText(id [32]byte) string { return base64.RawStdEncoding.EncodeToString(id[:]) }
