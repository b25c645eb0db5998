package routerdesc

import "github.com/tropea-net/tropea/internal/wire/netdoc"

// Positions in schema.
const (
	itemRouter = iota
	itemIdentity
	itemMasterKey
	itemORAddress
	itemPlatform
	itemProto
	itemPublished
	itemFingerprint
	itemUptime
	itemBandwidth
	itemExtraInfo
	itemCachesExtraInfo
	itemOnionKey
	itemSigningKey
	itemOnionCross
	itemNtorCross
	itemFamily
	itemHibernating
	itemHSDir
	itemFamilyCert
	itemContact
	itemBridgeDistribution
	itemNtor
	itemAccept
	itemReject
	itemAccept6
	itemReject6
	itemPolicy6
	itemDirCache
	itemSingleHop
	itemOverload
	itemEdSig
	itemRSASig
)

const (
	kwRouter   = "router"
	kwEdSig    = "router-sig-ed25519"
	kwRSASig   = "router-signature"
	tagEdCert  = "ED25519 CERT"
	tagFamily  = "FAMILY CERT"
	tagCross   = "CROSSCERT"
	tagRSASign = "SIGNATURE"
)

var schema = netdoc.NewSchema(
	netdoc.Rule{Keyword: kwRouter, Min: 1, Max: 1, MinArgs: 5, Place: netdoc.First},
	netdoc.Rule{Keyword: "identity-ed25519", Min: 1, Max: 1, Object: netdoc.NeedObject},
	netdoc.Rule{Keyword: "master-key-ed25519", Min: 1, Max: 1, MinArgs: 1},
	netdoc.Rule{Keyword: "or-address", MinArgs: 1},
	netdoc.Rule{Keyword: "platform", Max: 1},
	netdoc.Rule{Keyword: "proto", Max: 1},
	netdoc.Rule{Keyword: "published", Min: 1, Max: 1, MinArgs: 2},
	netdoc.Rule{Keyword: "fingerprint", Max: 1},
	netdoc.Rule{Keyword: "uptime", Max: 1, MinArgs: 1},
	netdoc.Rule{Keyword: "bandwidth", Min: 1, Max: 1, MinArgs: 3},
	netdoc.Rule{Keyword: "extra-info-digest", Max: 1, MinArgs: 1},
	netdoc.Rule{Keyword: "caches-extra-info", Max: 1},
	netdoc.Rule{Keyword: "onion-key", Max: 1, Object: netdoc.NeedObject},
	netdoc.Rule{Keyword: "signing-key", Min: 1, Max: 1, Object: netdoc.NeedObject},
	netdoc.Rule{Keyword: "onion-key-crosscert", Max: 1, Object: netdoc.NeedObject},
	netdoc.Rule{Keyword: "ntor-onion-key-crosscert", Min: 1, Max: 1, MinArgs: 1, MaxArgs: 1, Object: netdoc.NeedObject},
	netdoc.Rule{Keyword: "family", Max: 1},
	netdoc.Rule{Keyword: "hibernating", Max: 1, MinArgs: 1},
	netdoc.Rule{Keyword: "hidden-service-dir", Max: 1},
	netdoc.Rule{Keyword: "family-cert", Max: maxFamilyCerts, Object: netdoc.NeedObject},
	netdoc.Rule{Keyword: "contact", Max: 1},
	netdoc.Rule{Keyword: "bridge-distribution-request", Object: netdoc.MayObject},
	netdoc.Rule{Keyword: "ntor-onion-key", Min: 1, Max: 1, MinArgs: 1},
	netdoc.Rule{Keyword: "accept", MinArgs: 1, MaxArgs: 1},
	netdoc.Rule{Keyword: "reject", MinArgs: 1, MaxArgs: 1},
	netdoc.Rule{Keyword: "accept6"},
	netdoc.Rule{Keyword: "reject6"},
	netdoc.Rule{Keyword: "ipv6-policy", Max: 1},
	netdoc.Rule{Keyword: "tunnelled-dir-server", Max: 1},
	netdoc.Rule{Keyword: "allow-single-hop-exits", Max: 1},
	netdoc.Rule{Keyword: "overload-general", Object: netdoc.MayObject},
	netdoc.Rule{Keyword: kwEdSig, Min: 1, Max: 1, MinArgs: 1},
	netdoc.Rule{Keyword: kwRSASig, Min: 1, Max: 1, Object: netdoc.NeedObject, Place: netdoc.Last},
)

// maxFamilyCerts bounds the signatures that one descriptor makes us check. A relay has one certificate for each family
// key of its operator.
const maxFamilyCerts = 32
