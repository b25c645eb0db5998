package config

import (
	"fmt"
	"strings"
)

// obsoleteNames once were options. Old files still have them.
const obsoleteNames = `
__UseFilteringSSLBufferevents AllowDotExit AllowInvalidNodes AllowSingleHopCircuits AllowSingleHopExits
AlternateHSAuthority AndroidIdentityTag AuthDirBadDir AuthDirBadDirCCs AuthDirListBadDirs
AuthDirMaxServersPerAuthAddr AuthDirRejectUnlisted CircuitIdleTimeout ClientAutoIPv6ORPort
ClientBootstrapConsensusAuthorityOnlyMaxDownloadTries ClientBootstrapConsensusMaxDownloadTries
CloseHSClientCircuitsImmediatelyOnTimeout CloseHSServiceRendCircuitsImmediatelyOnTimeout ControlListenAddress
DirListenAddress DisableIOCP DisableV2DirectoryInfo_ DNSListenAddress DynamicDHGroups ExcludeSingleHopRelays
FallbackNetworkstatusFile FastFirstHopPK FetchV2Networkstatus Group HiddenServiceAuthorizeClient HidServAuth
HidServDirectoryV2 MaxOnionsPending NamingAuthoritativeDirectory NATDListenAddress OptimisticData
ORListenAddress PathBiasDisableRate PathBiasMultFactor PathBiasScaleFactor PathBiasUseCloseCounts
PortForwarding PortForwardingHelper PredictedPortsRelevanceTime PreferTunneledDirConns RecommendedPackages
RunTesting SchedulerHighWaterMark__ SchedulerLowWaterMark__ SchedulerMaxFlushCells__ SocksListenAddress
StrictEntryNodes StrictExitNodes Support022HiddenServices TestingCertMaxDownloadTries
TestingConsensusMaxDownloadTries TestingDescriptorMaxDownloadTries TestingEnableTbEmptyEvent
TestingEstimatedDescriptorPropagationTime TestingMicrodescMaxDownloadTries TLSECGroup Tor2webMode
Tor2webRendezvousPoints TransListenAddress TunnelDirConns UseEntryGuardsAsDirGuards UseFilteringSSLBufferevents
UseNTorHandshake UserspaceIOCPBuffers V1AuthoritativeDirectory V2AuthoritativeDirectory
VoteOnHidServDirectoriesV2 WarnUnsafeSocks
`

// An alias is another name for an option.
type alias struct {
	to      string
	argOnly bool // on the command line only
	warn    bool // tell the user to write the new name
}

// aliases by folded name. Some lead to names that are obsolete.
var aliases = func() map[string]alias {
	m := map[string]alias{
		"l":                              {"Log", true, false},
		"hashedcontrolpassword":          {"__HashedControlSessionPassword", true, false}, // SAVECONF must not write it down
		"allowunverifiednodes":           {to: "AllowInvalidNodes"},
		"automaphostonresolve":           {to: "AutomapHostsOnResolve"},
		"automaphostsuffixes":            {to: "AutomapHostsSuffixes"},
		"bandwidthburstbytes":            {to: "BandwidthBurst"},
		"bandwidthratebytes":             {to: "BandwidthRate"},
		"bridgeauthoritativedirectory":   {to: "BridgeAuthoritativeDir"},
		"dirbindaddress":                 {to: "DirListenAddress"},
		"dirserver":                      {to: "DirAuthority"},
		"maxmemincellqueues":             {to: "MaxMemInQueues"},
		"numentrynodes":                  {to: "NumEntryGuards"},
		"numhelpernodes":                 {to: "NumEntryGuards"},
		"orbindaddress":                  {to: "ORListenAddress"},
		"prefertunnelleddirconns":        {to: "PreferTunneledDirConns"},
		"serverdnsallowbrokenresolvconf": {to: "ServerDNSAllowBrokenConfig"},
		"socksbindaddress":               {to: "SocksListenAddress"},
		"useentrynodes":                  {to: "UseEntryGuards"},
		"usehelpernodes":                 {to: "UseEntryGuards"},
		"virtualaddrnetwork":             {to: "VirtualAddrNetworkIPv4"},
		"_hslayer2nodes":                 {to: "HSLayer2Nodes", warn: true},
		"_hslayer3nodes":                 {to: "HSLayer3Nodes", warn: true},
		"maxconn":                        {to: "ConnLimit", warn: true},
		"resolvconf":                     {to: "ServerDNSResolvConfFile", warn: true},
		"searchdomains":                  {to: "ServerDNSSearchDomains", warn: true},
		"sockssocketsgroupwritable":      {to: "UnixSocksGroupWritable", warn: true},
	}
	for plural := range strings.FieldsSeq(`AuthDirBadDirCCs AuthDirBadExitCCs AuthDirInvalidCCs AuthDirMiddleOnlyCCs AuthDirRejectCCs EntryNodes
		ExcludeNodes FirewallPorts LongLivedPorts NumCPUs RecommendedPackages StrictEntryNodes StrictExitNodes StrictNodes`) {
		m[fold(strings.TrimSuffix(plural, "s"))] = alias{to: plural}
	}
	for _, o := range options {
		if schedule, ok := strings.CutSuffix(o.Name, "InitialDelay"); ok {
			m[fold(schedule+"Schedule")] = alias{to: o.Name, warn: true}
		}
	}
	return m
}()

// find returns the option that name stands for: itself, by an alias, or by its beginning, which is deprecated. note
// is a warning, if there is one; o is nil if there is no such option.
func find(name string, isArg bool) (o *Option, note string) {
	if a, ok := aliases[fold(name)]; ok && (isArg || !a.argOnly) {
		if a.warn {
			note = fmt.Sprintf("The configuration option '%s' is deprecated; use '%s' instead.", name, a.to)
		}
		name = a.to
	}
	if o := byName[fold(name)]; o != nil || name == "" {
		return o, note
	}
	for _, o := range options {
		if len(name) < len(o.Name) && strings.EqualFold(o.Name[:len(name)], name) {
			return o, fmt.Sprintf("The abbreviation '%s' is deprecated. Please use '%s' instead", name, o.Name)
		}
	}
	return nil, ""
}

// nearest returns the option whose name looks most like name, or nothing if none does.
func nearest(name string) string {
	if len(name) > 64 {
		return ""
	}
	best, limit := "", len(name)/3+1
	for o := range Options() {
		if d := distance(fold(name), fold(o.Name)); d < limit {
			best, limit = o.Name, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete or replace between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// Deprecated lists the options, and one name that is obsolete, that C tor warns about, in its order, and says why.
var Deprecated = []struct{ Name, Why string }{
	{"HTTPProxy", "It concerns plain directory requests only, which clients do not make; HTTPSProxy is what you want."},
	{"HTTPProxyAuthenticator", "It belongs to HTTPProxy; use HTTPSProxy and HTTPSProxyAuthenticator."},
	{"ReachableDirAddresses", "It has no effect."},
	{"ClientPreferIPv6DirPort", "It has no effect."},
	{"ClientAutoIPv6ORPort", "It is not reliable unless a connection has both IPv4 and IPv6."},
}

func deprecation(o *Option) string {
	for _, d := range Deprecated {
		if d.Name == o.Name {
			return fmt.Sprintf("The %s option is deprecated, and will most likely be removed in a future version. %s", d.Name, d.Why)
		}
	}
	return ""
}
