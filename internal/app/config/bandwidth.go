package config

import "math"

// leastRelayRate is what a relay must offer, in bytes per second. C tor: RELAY_REQUIRED_MIN_BANDWIDTH.
const leastRelayRate = 75 << 10

// maxRate is the most that a descriptor can say, in bytes per second.
const maxRate = math.MaxInt32

// checkBandwidth checks rates, whoever they are for, and completes those that follow from others.
// C tor: config_ensure_bandwidth_cap, options_validate_relay_bandwidth.
func (v *Values) checkBandwidth() error {
	for _, name := range []string{
		"BandwidthRate", "BandwidthBurst", "MaxAdvertisedBandwidth", "RelayBandwidthRate", "RelayBandwidthBurst", "PerConnBWRate", "PerConnBWBurst",
		"AuthDirFastGuarantee", "AuthDirGuardBWGuarantee",
	} {
		switch n := v.Uint64(name); {
		case n == maxRate+1: // who says "2 GB" does not mean to be wrong by one
			v.put(name, n-1)
		case n > maxRate:
			return v.at(name).Errorf("must be at most %d bytes, but is %d", maxRate, n)
		}
	}
	rate, burst := v.Uint64("RelayBandwidthRate"), v.Uint64("RelayBandwidthBurst")
	if rate > 0 && burst == 0 {
		burst = rate
		v.derive("RelayBandwidthBurst", burst, "RelayBandwidthRate")
	}
	if burst > 0 && rate == 0 {
		rate = burst
		v.derive("RelayBandwidthRate", rate, "RelayBandwidthBurst")
	}
	if rate > burst {
		return v.at("RelayBandwidthBurst").Errorf("must be at least equal to RelayBandwidthRate")
	}
	// What is allowed to a relay is allowed in all.
	if rate > v.Uint64("BandwidthRate") {
		v.derive("BandwidthRate", rate, "RelayBandwidthRate")
	}
	if burst > v.Uint64("BandwidthBurst") {
		v.derive("BandwidthBurst", burst, "RelayBandwidthBurst")
	}
	if v.Uint64("BandwidthRate") > v.Uint64("BandwidthBurst") {
		return v.at("BandwidthBurst").Errorf("must be at least equal to BandwidthRate")
	}
	return nil
}

// checkRelayBandwidth refuses rates that make a relay useless.
func (v *Values) checkRelayBandwidth() error {
	for _, c := range []struct {
		name  string
		least uint64
	}{
		{"BandwidthRate", leastRelayRate}, {"MaxAdvertisedBandwidth", leastRelayRate / 2}, {"RelayBandwidthRate", leastRelayRate},
	} {
		n := v.Uint64(c.name)
		unset := n == 0 && c.name == "RelayBandwidthRate"
		if n < c.least && !unset {
			return v.at(c.name).Errorf("is %d bytes a second; a relay needs at least %d", n, c.least)
		}
	}
	return nil
}
