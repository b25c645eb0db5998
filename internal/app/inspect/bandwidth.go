package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/bwfile"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// bandwidthFile reads what a bandwidth authority measured. Votes name the file by its digest.
func (in *Inspector) bandwidthFile(d *Document, data []byte) error {
	f, err := bwfile.Parse(data, in.Now)
	stale := errors.Is(err, bwfile.ErrStale)
	if stale {
		f, err = bwfile.Parse(data, timestamp(data))
	}
	if err != nil {
		return err
	}
	o := &d.Fields
	o.add("time", f.Timestamp.UTC())
	o.add("age", rough(in.Now.Sub(f.Timestamp)))
	if stale {
		o.add("state", "too old: authorities ignore it")
	}
	o.add("digest", b64(f.Digest[:]))
	header := Object{}
	for _, line := range f.Headers {
		key, value, _ := strings.Cut(line, "=")
		header.add(key, value)
	}
	o.add("header", header)
	all := count{name: "measured"}
	relays := f.Voted()
	for _, kb := range relays {
		all.relays++
		all.bandwidth += int64(kb)
	}
	o.add("relays", all.relays)
	o.add("kB/s", all.bandwidth)
	note := ""
	if len(f.Warnings) > 0 {
		note = f.Warnings[0].Error()
	}
	d.check("lines", verdict(len(f.Warnings) == 0), note)
	d.check("each relay once", verdict(len(f.Relays) == len(relays)), fmt.Sprintf("%d lines about %d relays", len(f.Relays), len(relays)))
	return nil
}

// timestamp is the time in the first line.
func timestamp(data []byte) time.Time {
	line, _, _ := bytes.Cut(data, []byte{'\n'})
	n, err := netdoc.ParseUint(line, math.MaxInt64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(int64(n), 0)
}
