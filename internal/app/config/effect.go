package config

import (
	"strings"

	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// checkEffects refuses what the user relies on and this version cannot do, and names in one warning what else has no
// effect.
func (v *Values) checkEffects() error {
	var ignored []string
	for o := range Options() {
		if o.Effect == Built || !v.asksFor(o) {
			continue
		}
		if o.Effect == Refused && !v.declined(o) {
			l := v.at(o.Name)
			return l.Errorf("not built in this version (%s), and starting without it would not do what the configuration says: remove the line if you can do without", o.Part)
		}
		ignored = append(ignored, o.Name)
	}
	if len(ignored) > 0 {
		v.warn("These options have no effect in this version: %s.", strings.Join(ignored, ", "))
	}
	return nil
}

// asksFor tells whether the user set the option to something that differs from doing nothing.
func (v *Values) asksFor(o *Option) bool {
	if !v.IsSet(o.Name) {
		return false
	}
	switch o.Kind {
	case Lines:
		for _, l := range v.Lines(o.Name) {
			if !strings.HasSuffix(o.Name, "Port") || strings.Trim(l.Value, " \t") != "0" {
				return true
			}
		}
		return false
	case AutoBool:
		return v.AutoBool(o.Name) == torrc.Yes || encode(v.value(o)) != encode(defaults[o]) && o.Effect != Refused
	}
	return encode(v.value(o)) != encode(defaults[o])
}

// declined tells whether the user said so clearly that the option does not count: bridges are often switched off by
// UseBridges 0, with the lines that describe them left in place.
func (v *Values) declined(o *Option) bool {
	return (o.Name == "Bridge" || o.Name == "ClientTransportPlugin") && v.IsSet("UseBridges") && !v.Bool("UseBridges")
}
