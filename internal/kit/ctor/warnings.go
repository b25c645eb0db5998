package ctor

import (
	"regexp"
	"slices"
	"strings"
)

// logLine splits a line of C tor's log into its level, its domains if LogMessageDomains is set, and the rest.
var logLine = regexp.MustCompile(`^\w{3} \d\d [\d:.]+ \[(\w+)\] (?:\{([A-Z,]+)\} )?(.*)`)

// own are the domains of warnings about the process's own configuration, user and machine.
var own = []string{"CONFIG", "APP", "CONTROL", "FS", "MM", "CRYPTO", "ACCT", "HEARTBEAT", "PROCESS", "PT"}

// harmless matches what a network of nothing but C tor logs, too.
var harmless = regexp.MustCompile(strings.Join([]string{
	// about the network being a test, and young
	`TestingTorNetwork is set`,
	`You have used DirAuthority`,
	`V3AuthVotingInterval is very low`,
	`You are running Tor as root`,
	`Option '\w+' used more than once`,
	`HiddenServiceNonAnonymousMode is set`,
	`configured to run in a non-anonymous mode`,
	`These options have no effect in this version`,
	`Your log may contain sensitive information`,
	`http status code 404 \("Not found"\) .* while fetching consensus directory`,
	`Problem bootstrapping\. Stuck at \d+% \(requesting_status\)`,
	`We just marked ourself as down`,
	`CircuitBuildTimeout is shorter`,
	// an authority tests whether it can be reached, like every relay
	`Client asked me to connect to myself`,
	// about the network being small: weights, vanguards, an only exit, and paths that go to and fro
	`Bw Weight Failure for Case`,
	`No available nodes when trying to choose node`,
	`Failed to choose an exit server`,
	`Could not find a node that matches the configured _HSLayer`,
	`Client asked me to extend back to the previous hop`,
	// stands after another complaint
	`connection_edge_process_relay_cell \(away from origin\) failed`,
}, "|"))

// ProtocolWarnings returns the lines of a C tor log that complain about a peer: about what it sent, or since it made C
// tor run into a bug. A line without a known form counts if it names a bug.
//
// The log should be of level info, with ProtocolWarnings 1, by which complaints of all domains become warnings, and with
// LogMessageDomains 1, by which they can be told from warnings about the configuration. What C tor says in the PROTOCOL
// domain is a complaint at any level.
func ProtocolWarnings(log string) []string {
	var found []string
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\r\n")
		if complains(line) {
			found = append(found, line)
		}
	}
	return found
}

func complains(line string) bool {
	m := logLine.FindStringSubmatch(line)
	if m == nil {
		return strings.Contains(line, "Bug:") || strings.Contains(line, "Assertion")
	}
	level, domains, text := m[1], strings.Split(m[2], ","), m[3]
	switch {
	case strings.Contains(text, "Bug:") || level == "err":
		return true
	case level == "debug":
		return false
	case slices.Contains(domains, "PROTOCOL"):
	case level != "warn" || slices.ContainsFunc(domains, func(d string) bool { return slices.Contains(own, d) }):
		return false
	}
	return !harmless.MatchString(text)
}
