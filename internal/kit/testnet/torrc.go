package testnet

import (
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// torrc is the configuration of a node with the ports it has now.
func (n *Network) torrc(node *Node) ctor.Torrc {
	t := n.commonTorrc()
	t.Add("Nickname", node.Name)
	t.Add("Log", n.cfg.LogLevel, "stdout")
	if hasControlPort(node.Bin) {
		t.Add("ControlPort", node.ControlPort)
		t.Add("CookieAuthentication", "1")
	}
	switch node.Role {
	case Client:
		t.Add("SocksPort", node.SOCKS)
	case Onion:
		t.addOnion(node, n.cfg.OnionTarget)
	default:
		t.addRelay(node, n.resolvConf)
		t.Add("GeoIPFile", n.geoIP4)
		t.Add("GeoIPv6File", n.geoIP6)
	}
	if node.Role == Authority {
		t.addAuthority(node, n.cfg.Voting, n.offset)
		t.Add("V3BandwidthsFile", n.bandwidthPath())
	}
	t.Torrc = append(t.Torrc, n.cfg.Torrc[All]...)
	t.Torrc = append(t.Torrc, n.cfg.Torrc[string(node.Role)]...)
	t.Torrc = append(t.Torrc, n.cfg.Torrc[node.Name]...)
	t.Torrc = append(t.Torrc, node.extra...)
	if node.Role == Exit {
		t.Add("ExitPolicy", "accept", "*:*") // the first rule that fits counts: those of the configuration come first
	}
	return t.Torrc
}

// commonTorrc is what all nodes have: they belong to this network and tell all they see.
func (n *Network) commonTorrc() *builder {
	t := new(builder)
	t.Add("TestingTorNetwork", "1")
	t.Torrc = append(t.Torrc, n.Authorities()...)
	t.Add("PathsNeededToBuildCircuits", "0.67")
	t.Add("SafeLogging", "0")
	t.Add("ProtocolWarnings", "1")
	t.Add("LogTimeGranularity", "1")
	t.Add("LogMessageDomains", "1")
	t.Add("DisableDebuggerAttachment", "0")
	t.Add("ShutdownWaitLength", "2")
	return t
}

type builder struct{ ctor.Torrc }

func (t *builder) addRelay(node *Node, resolvConf string) {
	t.Add("SocksPort", "0")
	t.Add("ORPort", node.ORPort, "IPv4Only")
	t.Add("Address", loopback)
	t.Add("AssumeReachable", "1")
	t.Add("ContactInfo", "testnet@example.test")
	t.Add("ServerDNSDetectHijacking", "0")
	t.Add("ServerDNSTestAddresses")
	t.Add("ServerDNSResolvConfFile", resolvConf)
	if node.Role != Exit {
		t.Add("ExitRelay", "0")
		return
	}
	t.Add("ExitRelay", "1")
	t.Add("ExitPolicyRejectPrivate", "0")
}

// addAuthority makes the node vote. The first interval is as long as the later ones, see votingOffset. Relays get their flags at once and in spite of their speed: a client that may use only a
// relay without the Fast flag would never find a path.
func (t *builder) addAuthority(node *Node, voting, offset time.Duration) {
	t.Add("DirPort", node.DirPort, "IPv4Only")
	t.Add("AuthoritativeDirectory", "1")
	t.Add("V3AuthoritativeDirectory", "1")
	t.Add("TestingDirAuthVoteGuard", "*")
	t.Add("TestingDirAuthVoteHSDir", "*")
	t.Add("TestingMinExitFlagThreshold", "0")
	t.Add("AuthDirFastGuarantee", "500 bytes")
	t.Add("AuthDirVoteStableGuaranteeMinUptime", "1 second")
	t.Add("AuthDirVoteStableGuaranteeMTBF", "1 second")
	interval, delay := seconds(voting), seconds(delayOf(voting))
	t.Add("TestingV3AuthInitialVotingInterval", interval)
	t.Add("TestingV3AuthInitialVoteDelay", seconds(firstDelay))
	t.Add("TestingV3AuthInitialDistDelay", seconds(firstDelay))
	t.Add("TestingV3AuthVotingStartOffset", seconds(offset))
	t.Add("V3AuthVotingInterval", interval)
	t.Add("V3AuthVoteDelay", delay)
	t.Add("V3AuthDistDelay", delay)
	t.Add("V3AuthNIntervalsValid", "3")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%d seconds", int(d.Seconds())) }

// dirAuthority is the line by which all nodes know an authority.
func (node *Node) dirAuthority() string {
	return fmt.Sprintf("DirAuthority %s orport=%s no-v2 v3ident=%s %s %s", node.Name, port(node.ORPort), node.v3ident, node.DirPort, node.Fingerprint)
}
