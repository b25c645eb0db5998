package daemon

import (
	"time"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/client/dirsync"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/netstate/vanguard"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// clientConfig turns what a torrc says into what a client takes.
func clientConfig(c config.Client, e env.Env, cache statefile.Store) client.Config {
	cfg := client.Config{
		Env: e, Cache: cache,
		Authorities: c.Dirs.Authorities, Fallbacks: c.Dirs.Fallbacks,
		Select:        selection(c.Nodes),
		MinPaths:      max(c.Circuits.PathsNeeded, 0),
		Padding:       padding(c.Links),
		NoIPv4:        !c.Links.IPv4,
		NoIPv6:        !c.Links.IPv6,
		PreferIPv6:    c.Links.PreferIPv6.Or(false),
		MaxDirtiness:  c.Circuits.MaxDirtiness,
		BuildTimeout:  c.Circuits.BuildTimeout,
		MaxPending:    c.Circuits.MaxPending,
		LongLived:     c.Circuits.LongLivedPorts,
		AvailableTime: c.Circuits.IdleTimeout,
		StreamTimeout: c.Streams.StreamTimeout,

		NoCircuitPadding: c.Circuits.NoPadding, ReducedCircuitPadding: c.Circuits.ReducedPadding,

		AllowInternal: !c.Streams.RejectInternal,
		AllowOddNames: c.Streams.AllowOddHostnames,
		AllowPrivate:  c.Circuits.AllowPrivate,
		Testing:       c.Process.TestNetwork,
		Vanguards:     vanguards(c.Nodes),
	}
	if c.Process.TestNetwork {
		// Networks that vote every few seconds leave no time to be polite.
		cfg.Schedule = dirsync.Schedule{Early: true, AuthorityDelay: time.Second}
	}
	return cfg
}

func selection(n config.Nodes) pathsel.Config {
	return pathsel.Config{
		Entry: n.Entry, Middle: n.Middle, Exit: n.Exit, Exclude: n.Exclude, ExcludeExit: n.ExcludeExit, Layer2: n.Layer2, Layer3: n.Layer3,
		Strict: n.Strict, NodeFamilies: n.Families, SharedSubnets: !n.DistinctSubnets,
	}
}

func vanguards(n config.Nodes) vanguard.Mode {
	switch {
	case n.FullVanguards:
		return vanguard.Full
	case n.Vanguards == torrc.Yes:
		return vanguard.Lite
	case n.Vanguards == torrc.No:
		return vanguard.Off
	}
	return vanguard.Auto
}

func padding(l config.Links) client.Padding {
	switch {
	case l.Padding == torrc.No:
		return client.PadNone
	case l.ReducedPadding:
		return client.PadReduced
	}
	return client.PadFull
}
