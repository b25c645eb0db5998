package resolver

import (
	"fmt"
	"log/slog"
	"reflect"
)

// Reload reads resolv.conf and, if it says something new, uses that: servers count as up, and what was found out about
// lies is forgotten and tested again. What is cached stays. C tor does so at start and on SIGHUP.
//
// Without a usable resolv.conf, the resolver falls back to a server on 127.0.0.1 and tries again later. With
// RefuseBrokenConfig it goes on with what it has, which at start is nothing, and Reload fails.
func (r *Resolver) Reload() error {
	conf, problem := r.readConf()
	if problem != nil && r.cfg.RefuseBrokenConfig {
		r.mu.Lock()
		r.loaded, r.confFailed = true, true
		r.mu.Unlock()
		r.publish(Event{Kind: ConfigFailed, Err: problem})
		return fmt.Errorf("resolv.conf: %w", problem)
	}
	if problem != nil {
		r.log.Warn("Could not read your DNS config. Please investigate your DNS configuration: this is possibly a problem. Meanwhile, falling "+
			"back to local DNS at 127.0.0.1.", "file", r.cfg.ResolvConf, "err", problem)
		conf = fallbackConf()
	}
	r.mu.Lock()
	changed := r.servers == nil || !reflect.DeepEqual(r.servers.conf, conf)
	recovered := r.confFailed && problem == nil
	first := !r.loaded
	if changed {
		r.servers = newServerSet(conf)
	}
	r.loaded, r.confFailed = true, problem != nil
	r.mu.Unlock()

	switch {
	case problem != nil:
		r.publish(Event{Kind: ConfigFailed, Err: problem})
	case recovered:
		r.publish(Event{Kind: ConfigRestored})
	}
	if !changed {
		return nil
	}
	r.log.Debug("Nameservers configured", slog.Int("servers", len(conf.servers)))
	if !first {
		r.hijack.Store(newHijack())
		r.v6.reset()
		poke(r.reread)
		poke(r.wake)
	}
	return nil
}

func (r *Resolver) readConf() (*resolvConf, error) {
	data, err := r.cfg.ReadFile(r.cfg.ResolvConf)
	if err != nil {
		return nil, err
	}
	conf := parseResolvConf(data)
	if len(conf.servers) == 0 {
		return nil, errNoSuchConf
	}
	return conf, nil
}

// current returns the servers in use; nil means none. It reads resolv.conf if nobody did.
func (r *Resolver) current() *serverSet {
	r.mu.Lock()
	set, loaded := r.servers, r.loaded
	r.mu.Unlock()
	if loaded {
		return set
	}
	if err := r.Reload(); err != nil {
		r.log.Warn("Could not configure the nameservers", "err", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.servers
}

// Nameservers returns how many nameservers are configured, and how many of them are up. Without any, every look-up fails.
func (r *Resolver) Nameservers() (configured, up int) {
	set := r.current()
	if set == nil {
		return 0, 0
	}
	return len(set.conf.servers), set.up()
}
