package config

// testingDefaults are the defaults that TestingTorNetwork 1 implies: private addresses are fine, everything is quick.
var testingDefaults = func() map[*Option]any {
	m := map[*Option]any{}
	for name, value := range map[string]string{
		"AuthDirMaxServersPerAddr":         "0",
		"ClientDNSRejectInternalAddresses": "0",
		"ClientRejectInternalAddresses":    "0",
		"CountPrivateBandwidth":            "1",
		"DirAllowPrivateAddresses":         "1",
		"EnforceDistinctSubnets":           "0",
		"ExitPolicyRejectPrivate":          "0",
		"ExtendAllowPrivateAddresses":      "1",
		"MinUptimeHidServDirectoryV2":      "0",
		"V3AuthVotingInterval":             "5 minutes",
		"V3AuthVoteDelay":                  "20 seconds",
		"V3AuthDistDelay":                  "20 seconds",

		"ClientBootstrapConsensusAuthorityDownloadInitialDelay":     "0",
		"ClientBootstrapConsensusAuthorityOnlyDownloadInitialDelay": "0",
		"ClientBootstrapConsensusFallbackDownloadInitialDelay":      "0",

		"TestingAuthDirTimeToLearnReachability":      "0",
		"TestingBridgeBootstrapDownloadInitialDelay": "0",
		"TestingBridgeDownloadInitialDelay":          "10",
		"TestingClientConsensusDownloadInitialDelay": "0",
		"TestingClientDownloadInitialDelay":          "0",
		"TestingClientMaxIntervalWithoutRequest":     "5 seconds",
		"TestingDirConnectionMaxStall":               "30 seconds",
		"TestingEnableCellStatsEvent":                "1",
		"TestingEnableConnBwEvent":                   "1",
		"TestingMinTimeToReportBandwidth":            "0",
		"TestingServerConsensusDownloadInitialDelay": "0",
		"TestingServerDownloadInitialDelay":          "0",
		"TestingV3AuthInitialDistDelay":              "20 seconds",
		"TestingV3AuthInitialVoteDelay":              "20 seconds",
		"TestingV3AuthInitialVotingInterval":         "150 seconds",
	} {
		o := option(name)
		m[o] = mustParse(o, value)
	}
	return m
}()

// testingOnly may differ from their defaults in test networks only.
var testingOnly = []string{
	"TestingAuthDirTimeToLearnReachability", "TestingAuthKeyLifetime", "TestingAuthKeySlop", "TestingBridgeBootstrapDownloadInitialDelay",
	"TestingBridgeDownloadInitialDelay", "TestingClientConsensusDownloadInitialDelay", "TestingClientDownloadInitialDelay",
	"TestingClientMaxIntervalWithoutRequest", "TestingDirConnectionMaxStall", "TestingEnableCellStatsEvent", "TestingEnableConnBwEvent",
	"TestingLinkCertLifetime", "TestingLinkKeySlop", "TestingMinTimeToReportBandwidth", "TestingServerConsensusDownloadInitialDelay",
	"TestingServerDownloadInitialDelay", "TestingSigningKeySlop", "TestingV3AuthInitialDistDelay", "TestingV3AuthInitialVoteDelay",
	"TestingV3AuthInitialVotingInterval", "TestingV3AuthVotingStartOffset",
}

// checkTesting sees to it that settings of test networks stay out of the public one, and the other way round.
func (v *Values) checkTesting() error {
	ownAuthorities := v.IsSet("DirAuthority") || v.IsSet("AlternateDirAuthority") && v.IsSet("AlternateBridgeAuthority")
	if v.Bool("TestingTorNetwork") {
		v.warn("TestingTorNetwork is set. This will make your node almost unusable in the public Tor network, and is therefore only advised if you are building a testing Tor network!")
		if !ownAuthorities {
			return v.at("TestingTorNetwork").Errorf("a test network needs its own DirAuthority lines, or AlternateDirAuthority and AlternateBridgeAuthority")
		}
		return nil
	}
	for _, name := range testingOnly {
		if o := option(name); encode(v.value(o)) != encode(defaults[o]) {
			return v.at(name).Errorf("may only be changed in testing Tor networks: set TestingTorNetwork 1")
		}
	}
	if !v.Bool("ClientDNSRejectInternalAddresses") && !ownAuthorities {
		return v.at("ClientDNSRejectInternalAddresses").Errorf("may not be 0 in the public network")
	}
	return nil
}
