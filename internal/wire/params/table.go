package params

import "math"

// inf is the upper end of ranges that have none.
const inf = math.MaxInt32

// The parameters that this version reads, with the defaults and ranges of C tor 0.4.9.11. Sizes and times are in the
// unit of the comment; where two parameters bound each other, the reader does it.

// Windows and SENDMEs.
var (
	CircWindow              = Param{"circwindow", 1000, 100, 1000} // cells
	SendmeEmitMinVersion    = Param{"sendme_emit_min_version", 1, 0, 255}
	SendmeAcceptMinVersion  = Param{"sendme_accept_min_version", 0, 0, 255}
	CircMaxCellQueueSize    = Param{"circ_max_cell_queue_size", 2500, 50, inf}     // cells
	CircMaxCellQueueSizeOut = Param{"circ_max_cell_queue_size_out", 2500, 50, inf} // cells; default is what the former has
)

// Congestion control. Cells count windows; queues and watermarks say otherwise.
var (
	CCAlg             = Param{"cc_alg", 2, 0, 3} // 0 off, 2 Vegas
	CCSendmeInc       = Param{"cc_sendme_inc", 31, 1, 254}
	CCCwndInit        = Param{"cc_cwnd_init", 124, 31, 10000}
	CCCwndMin         = Param{"cc_cwnd_min", 124, 31, 1000}
	CCCwndMax         = Param{"cc_cwnd_max", inf, 500, inf}
	CCCwndInc         = Param{"cc_cwnd_inc", 1, 1, 1000}
	CCCwndIncRate     = Param{"cc_cwnd_inc_rate", 31, 1, 250}
	CCCwndIncPctSS    = Param{"cc_cwnd_inc_pct_ss", 100, 1, 500} // percent
	CCSSMax           = Param{"cc_ss_max", 5000, 500, inf}
	CCSSCapExit       = Param{"cc_sscap_exit", 600, 100, inf}
	CCSSCapOnion      = Param{"cc_sscap_onion", 475, 100, inf}
	CCSSCapSbws       = Param{"cc_sscap_sbws", 400, 100, inf}
	CCVegasAlphaExit  = Param{"cc_vegas_alpha_exit", 186, 0, 1000}
	CCVegasAlphaOnion = Param{"cc_vegas_alpha_onion", 186, 0, 1000}
	CCVegasAlphaSbws  = Param{"cc_vegas_alpha_sbws", 93, 0, 1000}
	CCVegasBetaExit   = Param{"cc_vegas_beta_exit", 248, 0, 1000}
	CCVegasBetaOnion  = Param{"cc_vegas_beta_onion", 372, 0, 1000}
	CCVegasBetaSbws   = Param{"cc_vegas_beta_sbws", 155, 0, 1000}
	CCVegasGammaExit  = Param{"cc_vegas_gamma_exit", 186, 0, 1000}
	CCVegasGammaOnion = Param{"cc_vegas_gamma_onion", 248, 0, 1000}
	CCVegasGammaSbws  = Param{"cc_vegas_gamma_sbws", 124, 0, 1000}
	CCVegasDeltaExit  = Param{"cc_vegas_delta_exit", 310, 0, inf}
	CCVegasDeltaOnion = Param{"cc_vegas_delta_onion", 434, 0, inf}
	CCVegasDeltaSbws  = Param{"cc_vegas_delta_sbws", 248, 0, inf}
	CCCwndFullGap     = Param{"cc_cwnd_full_gap", 4, 0, 32767}
	CCCwndFullMinPct  = Param{"cc_cwnd_full_minpct", 25, 0, 100} // percent
	CCCwndFullPerCwnd = Param{"cc_cwnd_full_per_cwnd", 1, 0, 1}
	CCEwmaCwndPct     = Param{"cc_ewma_cwnd_pct", 50, 1, 255} // percent
	CCEwmaMax         = Param{"cc_ewma_max", 10, 2, inf}
	CCEwmaSS          = Param{"cc_ewma_ss", 2, 2, inf}
	CCRTTResetPct     = Param{"cc_rtt_reset_pct", 100, 0, 100} // percent
	CCXoffClient      = Param{"cc_xoff_client", 500, 1, 10000} // cells of 488 bytes
	CCXoffExit        = Param{"cc_xoff_exit", 500, 1, 10000}   // cells of 488 bytes
	CCXonRate         = Param{"cc_xon_rate", 500, 1, 5000}     // cells of 498 bytes
	CCXonChangePct    = Param{"cc_xon_change_pct", 25, 1, 99}  // percent
	CCXonEwmaCnt      = Param{"cc_xon_ewma_cnt", 2, 2, 100}
	CellQueueLow      = Param{"cellq_low", 10, 1, 1000}
	CellQueueHigh     = Param{"cellq_high", 256, 1, 1000}
	ORConnLow         = Param{"orconn_low", 16384, 509, inf}  // bytes
	ORConnHigh        = Param{"orconn_high", 32768, 509, inf} // bytes
)

// Limits of the links to clients, in bytes a second and bytes; 0, which is no value, stands for the node's own.
var (
	PerConnRate  = Param{"perconnbwrate", 0, 1, inf}
	PerConnBurst = Param{"perconnbwburst", 0, 1, inf}
)

// Conflux.
var (
	ConfluxEnabled             = Param{"cfx_enabled", 1, 0, 1}
	ConfluxLowExitThreshold    = Param{"cfx_low_exit_threshold", 6000, 0, 10000} // hundredths of a percent of exits
	ConfluxMaxLinkedSet        = Param{"cfx_max_linked_set", 10, 0, 255}
	ConfluxMaxPrebuiltSet      = Param{"cfx_max_prebuilt_set", 3, 0, 255}
	ConfluxMaxUnlinkedLegRetry = Param{"cfx_max_unlinked_leg_retry", 3, 0, 255}
	ConfluxNumLegsSet          = Param{"cfx_num_legs_set", 2, 0, 255}
	ConfluxMaxLegsSet          = Param{"cfx_max_legs_set", 8, 3, 255}
	ConfluxMaxOOOQueueBytes    = Param{"cfx_max_oooq_bytes", inf, 0, inf} // bytes
)

// Scheduling.
var (
	CircuitPriorityHalflife = Param{"CircuitPriorityHalflifeMsec", 30000, 1, inf} // ms
	CircuitPriorityTick     = Param{"CircuitPriorityTickSecs", 10, 1, 600}        // s
	KISTRunInterval         = Param{"KISTSchedRunInterval", 2, 2, 100}            // ms
	KISTRunIntervalClient   = Param{"KISTSchedRunIntervalClient", 2, 2, 100}      // ms
)

// Circuit build timeouts.
var (
	CBTDisabled       = Param{"cbtdisabled", 0, 0, 1}
	CBTNumModes       = Param{"cbtnummodes", 10, 1, 20}
	CBTRecentCount    = Param{"cbtrecentcount", 20, 3, 1000}
	CBTMaxTimeouts    = Param{"cbtmaxtimeouts", 18, 3, 10000}
	CBTMinCircs       = Param{"cbtmincircs", 100, 1, 10000}
	CBTQuantile       = Param{"cbtquantile", 80, 10, 99}           // percent
	CBTCloseQuantile  = Param{"cbtclosequantile", 99, 10, 99}      // percent, at least cbtquantile
	CBTTestFreq       = Param{"cbttestfreq", 10, 1, inf}           // s
	CBTMinTimeout     = Param{"cbtmintimeout", 10, 10, inf}        // ms
	CBTInitialTimeout = Param{"cbtinitialtimeout", 60000, 10, inf} // ms, at least cbtmintimeout
	CBTLearnTimeout   = Param{"cbtlearntimeout", 180, 10, 60000}   // s
	CBTMaxOpenCircs   = Param{"cbtmaxopencircs", 10, 0, 14}
)

// Guards and path bias.
var (
	GuardMaxSampleThreshold    = Param{"guard-max-sample-threshold-percent", 20, 1, 100}
	GuardMaxSampleSize         = Param{"guard-max-sample-size", 60, 1, inf}
	GuardMinFilteredSampleSize = Param{"guard-min-filtered-sample-size", 20, 1, inf}
	GuardRemoveUnlistedAfter   = Param{"guard-remove-unlisted-guards-after-days", 20, 1, 3650} // days
	GuardLifetime              = Param{"guard-lifetime-days", 120, 1, 3650}                    // days
	GuardConfirmedMinLifetime  = Param{"guard-confirmed-min-lifetime-days", 60, 1, 3650}       // days
	GuardNPrimary              = Param{"guard-n-primary-guards", 3, 1, inf}
	GuardNPrimaryToUse         = Param{"guard-n-primary-guards-to-use", 1, 1, inf}
	GuardNPrimaryDirToUse      = Param{"guard-n-primary-dir-guards-to-use", 3, 1, inf}
	GuardInternetLikelyDown    = Param{"guard-internet-likely-down-interval", 600, 1, inf}   // s
	GuardConnectTimeout        = Param{"guard-nonprimary-guard-connect-timeout", 15, 1, inf} // s
	GuardIdleTimeout           = Param{"guard-nonprimary-guard-idle-timeout", 600, 1, inf}   // s
	GuardMeaningfulRestriction = Param{"guard-meaningful-restriction-percent", 20, 1, inf}   // percent
	GuardExtremeRestriction    = Param{"guard-extreme-restriction-percent", 1, 1, 100}       // percent
	UseGuardFraction           = Param{"UseGuardFraction", 0, 0, 1}
	PathBiasMinCircs           = Param{"pb_mincircs", 150, 5, inf}
	PathBiasNoticePct          = Param{"pb_noticepct", 70, 0, 100}
	PathBiasWarnPct            = Param{"pb_warnpct", 50, 0, 100}
	PathBiasExtremePct         = Param{"pb_extremepct", 30, 0, 100}
	PathBiasDropGuards         = Param{"pb_dropguards", 0, 0, 1}
	PathBiasScaleCircs         = Param{"pb_scalecircs", 300, 10, inf}
	PathBiasScaleFactor        = Param{"pb_scalefactor", 2, 2, inf}
	PathBiasMultFactor         = Param{"pb_multfactor", 1, 1, inf} // at most pb_scalefactor
	PathBiasMinUse             = Param{"pb_minuse", 20, 3, inf}
	PathBiasNoticeUsePct       = Param{"pb_noticeusepct", 80, 0, 100}
	PathBiasExtremeUsePct      = Param{"pb_extremeusepct", 60, 0, 100}
	PathBiasScaleUse           = Param{"pb_scaleuse", 100, 10, inf}
	VanguardsLiteEnabled       = Param{"vanguards-lite-enabled", 1, 0, 1}
	VanguardsL2Number          = Param{"guard-hs-l2-number", 4, 1, 19}
	VanguardsL2LifetimeMin     = Param{"guard-hs-l2-lifetime-min", 86400, 1, inf}   // s
	VanguardsL2LifetimeMax     = Param{"guard-hs-l2-lifetime-max", 1036800, 1, inf} // s
	VanguardsL3Number          = Param{"guard-hs-l3-number", 8, 1, 19}
	VanguardsL3LifetimeMin     = Param{"guard-hs-l3-lifetime-min", 3600, 1, inf}   // s
	VanguardsL3LifetimeMax     = Param{"guard-hs-l3-lifetime-max", 172800, 1, inf} // s
)

// Link and circuit padding.
var (
	NFIdleLow            = Param{"nf_ito_low", 1500, 0, 60000}              // ms
	NFIdleHigh           = Param{"nf_ito_high", 9500, 0, 60000}             // ms, at least nf_ito_low
	NFIdleLowReduced     = Param{"nf_ito_low_reduced", 9000, 0, 60000}      // ms
	NFIdleHighReduced    = Param{"nf_ito_high_reduced", 14000, 0, 60000}    // ms
	NFConnTimeoutRelays  = Param{"nf_conntimeout_relays", 3600, 60, 604800} // s
	NFConnTimeoutClients = Param{"nf_conntimeout_clients", 1800, 60, 86400} // s
	NFPadBeforeUsage     = Param{"nf_pad_before_usage", 1, 0, 1}
	NFPadRelays          = Param{"nf_pad_relays", 0, 0, 1}
	NFPadSingleOnion     = Param{"nf_pad_single_onion", 1, 0, 1}
	CircPadDisabled      = Param{"circpad_padding_disabled", 0, 0, 1}
	CircPadReduced       = Param{"circpad_padding_reduced", 0, 0, 1}
	CircPadAllowedCells  = Param{"circpad_global_allowed_cells", 0, 0, 65534}
	CircPadMaxPct        = Param{"circpad_global_max_padding_pct", 0, 0, 100}
	CircPadMaxQueued     = Param{"circpad_max_circ_queued_cells", 1000, 0, 50000}
)

// Choice of paths.
var (
	BWWeightScale       = Param{"bwweightscale", 10000, 1, inf}
	MinPathsForCircsPct = Param{"min_paths_for_circs_pct", 60, 25, 95} // percent
	ExtendByEd25519ID   = Param{"ExtendByEd25519ID", 0, 0, 1}
	UseFamilyLists      = Param{"use-family-lists", 1, 0, 1}
	UseFamilyIDs        = Param{"use-family-ids", 1, 0, 1}
)

// Exits.
var (
	RefuseUnknownExits  = Param{"refuseunknownexits", 1, 0, 1}
	AllowNetworkReentry = Param{"allow-network-reentry", 0, 0, 1}
	ExitDNSTimeout      = Param{"exit_dns_timeout", 1000, 1, 120000} // ms
	ExitDNSAttempts     = Param{"exit_dns_num_attempts", 2, 0, 255}
)

// Keys of relays.
var (
	OnionKeyRotation   = Param{"onion-key-rotation-days", 28, 1, 90}    // days
	OnionKeyGrace      = Param{"onion-key-grace-period-days", 7, 1, 90} // days, at most onion-key-rotation-days
	PublishDummyTAP    = Param{"publish-dummy-tap-key", 1, 0, 1}
	MaxOnionQueueDelay = Param{"MaxOnionQueueDelay", 1750, 1, inf}   // ms
	MaxOnionQueueWait  = Param{"onion_queue_wait_cutoff", 5, 0, inf} // s
)

// Onion services.
var (
	HSDirInterval          = Param{"hsdir_interval", 1440, 5, 14400} // minutes
	HSDirNReplicas         = Param{"hsdir_n_replicas", 2, 1, 16}
	HSDirSpreadFetch       = Param{"hsdir_spread_fetch", 3, 1, 128}
	HSDirSpreadStore       = Param{"hsdir_spread_store", 4, 1, 128}
	HSMaxDescriptorSize    = Param{"HSV3MaxDescriptorSize", 50000, 1, inf} // bytes
	HSIntroNumExtra        = Param{"hs_intro_num_extra", 2, 0, 128}
	HSIntroMinLifetime     = Param{"hs_intro_min_lifetime", 64800, 0, inf} // s
	HSIntroMaxLifetime     = Param{"hs_intro_max_lifetime", 86400, 0, inf} // s
	HSIntroMinIntroduce2   = Param{"hs_intro_min_introduce2", 16384, 0, inf}
	HSIntroMaxIntroduce2   = Param{"hs_intro_max_introduce2", 32768, 0, inf}
	HSServiceMaxRdvFailure = Param{"hs_service_max_rdv_failures", 2, 1, 10}
)

// Flags that authorities vote for. Bandwidths are in bytes per second.
var (
	FastFlagMinThreshold = Param{"FastFlagMinThreshold", 4, 4, inf}
	FastFlagMaxThreshold = Param{"FastFlagMaxThreshold", inf, 4, inf} // at least the other one
)
