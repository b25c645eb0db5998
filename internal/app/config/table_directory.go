package config

// directoryOptions are about information: whom to ask, what to fetch.
var directoryOptions = []Option{
	{Name: "DirAuthority", Kind: Lines, Effect: Built, Help: "a directory authority in place of the public ones"},
	{Name: "AlternateDirAuthority", Kind: Lines, Effect: Built, Help: "a directory authority in place of the public ones that vote"},
	{Name: "AlternateBridgeAuthority", Kind: Lines, Effect: Built, Help: "a bridge authority in place of the public one"},
	{Name: "FallbackDir", Kind: Lines, Effect: Built, Help: "a relay to fetch the first consensus from, in place of the built-in ones"},
	{Name: "UseDefaultFallbackDirs", Kind: Bool, Default: "1", Effect: Built, Help: "use the built-in fallback directories"},
	{Name: "DirAuthorityFallbackRate", Kind: Float, Default: "0.1", Help: "weight of authorities among the fallbacks"},
	{Name: "UseMicrodescriptors", Kind: AutoBool, Default: "auto", Help: "use the short descriptors"},
	{Name: "DownloadExtraInfo", Kind: Bool, Default: "0", Help: "fetch extra-info documents"},
	{Name: "FetchDirInfoEarly", Kind: Bool, Default: "0", Help: "fetch documents as soon as authorities do"},
	{Name: "FetchDirInfoExtraEarly", Kind: Bool, Default: "0", Help: "fetch documents before caches have them"},
	{Name: "FetchHidServDescriptors", Kind: Bool, Default: "1", Help: "fetch descriptors of onion services"},
	{Name: "FetchServerDescriptors", Kind: Bool, Default: "1", Help: "fetch descriptors of relays"},
	{Name: "FetchUselessDescriptors", Kind: Bool, Default: "0", Help: "fetch descriptors of relays that are down, too"},
	{Name: "__AllDirActionsPrivate", Kind: Bool, Default: "0", Effect: Refused, Help: "fetch documents only over circuits"},
	{Name: "ClientBootstrapConsensusAuthorityDownloadInitialDelay", Kind: CSVInterval, Default: "6", Help: "wait before asking an authority first, with fallbacks"},
	{Name: "ClientBootstrapConsensusFallbackDownloadInitialDelay", Kind: CSVInterval, Default: "0", Help: "wait before asking a fallback first"},
	{Name: "ClientBootstrapConsensusAuthorityOnlyDownloadInitialDelay", Kind: CSVInterval, Default: "0", Help: "wait before asking an authority first, without fallbacks"},
	{Name: "ClientBootstrapConsensusMaxInProgressTries", Kind: PosInt, Default: "3", Help: "directories asked for the first consensus at once"},
	{Name: "MaxUnparseableDescSizeToLog", Kind: MemUnit, Default: "10 MB", Help: "bytes of broken descriptors to keep for study"},
	{Name: "DirAllowPrivateAddresses", Kind: Bool, Default: "0", Effect: Built, Help: "believe descriptors with private addresses"},
	{Name: "ExtendAllowPrivateAddresses", Kind: Bool, Default: "0", Effect: Built, Help: "build circuits through private addresses"},
}
