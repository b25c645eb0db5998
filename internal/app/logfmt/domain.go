package logfmt

import (
	"fmt"
	"runtime"
	"strings"
)

// domains is a set of C tor's log domains, a bit each.
type domains uint32

var domainNames = []string{
	"GENERAL", "CRYPTO", "NET", "CONFIG", "FS", "PROTOCOL", "MM", "HTTP", "APP", "CONTROL", "CIRC", "REND", "BUG", "DIR", "DIRSERV",
	"OR", "EDGE", "ACCT", "HIST", "HANDSHAKE", "HEARTBEAT", "CHANNEL", "SCHED", "GUARD", "CONSDIFF", "DOS", "PROCESS", "PT", "BTRACK", "MESG",
}

const allDomains = ^domains(0)

// domainOfPackage tells which domain the messages of a package belong to: no package has to say so at each message.
// A longer path wins over its parent. What is not listed is GENERAL.
var domainOfPackage = map[string]string{
	"wire": "PROTOCOL", "wire/consdiff": "CONSDIFF", "crypt": "CRYPTO",
	"lib/netx": "NET", "lib/statefile": "FS", "lib/memacct": "MM", "lib/safego": "BUG",
	"core/link": "CHANNEL", "core/circuit": "CIRC", "core/stream": "EDGE", "core/sched": "SCHED",
	"netstate": "DIR", "netstate/guard": "GUARD",
	"client/circmgr": "CIRC", "client/attach": "APP", "client/dirclient": "DIR", "client/dirsync": "DIR", "client/hsclient": "REND",
	"role/relay": "OR", "role/exit": "EDGE", "role/dircache": "DIRSERV", "role/dirauth": "DIRSERV", "role/hsservice": "REND", "role/hsdir": "REND",
	"role/dos": "DOS", "role/accounting": "ACCT", "role/stats": "HIST",
	"front": "APP", "front/control": "CONTROL", "front/pt": "PT", "app/config": "CONFIG",
}

// domainOf returns the domain of the message whose call stands at pc.
func domainOf(pc uintptr) (name string, d domains) {
	name = "GENERAL"
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	_, pkg, _ := strings.Cut(frame.Function, "/internal/")
	for pkg != "" {
		if n, ok := domainOfPackage[pkg]; ok {
			name = n
			break
		}
		pkg = pkg[:max(strings.LastIndexAny(pkg, "/."), 0)]
	}
	d, _ = parseDomain(name)
	return name, d
}

func parseDomain(name string) (domains, error) {
	for i, n := range domainNames {
		if strings.EqualFold(n, name) {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("no such log domain as %q", name)
}

// parseDomains parses a list such as "*,~net", without its brackets. Negation comes last.
func parseDomains(list string) (domains, error) {
	var plus, minus domains
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if name == "*" {
			plus = allDomains
			continue
		}
		name, negated := strings.CutPrefix(name, "~")
		d, err := parseDomain(name)
		switch {
		case err != nil:
			return 0, err
		case negated:
			minus |= d
		default:
			plus |= d
		}
	}
	if plus == 0 {
		plus = allDomains
	}
	return plus &^ minus, nil
}
