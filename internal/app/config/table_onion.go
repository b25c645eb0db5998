package config

// onionServiceOptions are about onion services, as a host and as a client.
var onionServiceOptions = []Option{
	{Name: "HiddenServiceDir", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "an onion service: where its keys and name live"},
	{Name: "HiddenServiceDirGroupReadable", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "let the group read HiddenServiceDir"},
	{Name: "HiddenServicePort", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "port of the service and where it leads"},
	{Name: "HiddenServiceVersion", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "version of the service: 3"},
	{Name: "HiddenServiceAllowUnknownPorts", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "ignore requests for unknown ports instead of closing"},
	{Name: "HiddenServiceMaxStreams", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "streams on one circuit"},
	{Name: "HiddenServiceMaxStreamsCloseCircuit", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "close a circuit with too many streams"},
	{Name: "HiddenServiceNumIntroductionPoints", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "introduction points"},
	{Name: "HiddenServiceExportCircuitID", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "tell the application which circuit a stream is on"},
	{Name: "HiddenServiceEnableIntroDoSDefense", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "ask introduction points to limit requests"},
	{Name: "HiddenServiceEnableIntroDoSRatePerSec", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "requests a second at an introduction point"},
	{Name: "HiddenServiceEnableIntroDoSBurstPerSec", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "requests at once at an introduction point"},
	{Name: "HiddenServiceOnionBalanceInstance", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "be a part of an onionbalance service"},
	{Name: "HiddenServicePoWDefensesEnabled", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "ask for proof of work under load"},
	{Name: "HiddenServicePoWQueueRate", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "requests a second served from the queue"},
	{Name: "HiddenServicePoWQueueBurst", Kind: Lines, Group: "HiddenServiceOptions", Effect: Built, Help: "requests at once served from the queue"},
	{Name: "HiddenServiceSingleHopMode", Kind: Bool, Default: "0", Flags: Restart, Effect: Built, Help: "reach onion services' clients in one hop"},
	{Name: "HiddenServiceNonAnonymousMode", Kind: Bool, Default: "0", Flags: Restart, Effect: Built, Help: "give up the anonymity of onion services"},
	{Name: "PublishHidServDescriptors", Kind: Bool, Default: "1", Effect: Built, Help: "publish descriptors of onion services"},
	{Name: "ClientOnionAuthDir", Kind: Filename, Effect: Built, Help: "keys for onion services that want them"},
	{Name: "HSLayer2Nodes", Kind: NodeSet, Effect: Built, Help: "relays for the second hop to onion services"},
	{Name: "HSLayer3Nodes", Kind: NodeSet, Effect: Built, Help: "relays for the third hop to onion services"},
	{Name: "VanguardsLiteEnabled", Kind: AutoBool, Default: "auto", Effect: Built, Help: "keep the second hop to onion services for a while"},
}
