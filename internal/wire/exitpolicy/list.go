package exitpolicy

import (
	"fmt"
	"strings"
)

// Bare says what a pattern without "accept" or "reject" means in a list.
type Bare uint8

// What a bare pattern means: options such as ReachableAddresses allow them, ExitPolicy does not.
const (
	BareRefused Bare = iota
	BareAccept
	BareReject
)

// ParseList parses the comma-separated rules of an option such as ExitPolicy. Unlike in a descriptor, "*" means both
// families, "*4" and "*6" one, and accept and reject take IPv6 addresses.
//
// A rule such as "accept6 1.2.3.4:80" is not fatal, as in C tor: it is left out of the policy and returned in ignored,
// so that the user can be warned.
// https://spec.torproject.org/dir-spec/server-descriptor-format.html
func ParseList(list string, bare Bare) (p Policy, ignored []string, err error) {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		rules, err := parseItem(item, bare)
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", item, err)
		}
		if rules == nil {
			ignored = append(ignored, item)
		}
		p = append(p, rules...)
	}
	return p, ignored, nil
}

// parseItem parses one rule of an option. The result is nil if the rule does not make sense but may be ignored.
func parseItem(item string, bare Bare) ([]Rule, error) {
	keyword, pattern := "", item
	if c := item[0]; bare == BareRefused || c != '*' && c != '[' && (c < '0' || c > '9') {
		f := strings.Fields(item)
		if len(f) != 2 {
			return nil, ErrSyntax
		}
		keyword, pattern = f[0], f[1]
	}
	var accept, only6 bool
	switch keyword {
	case "":
		accept = bare == BareAccept
	case "accept":
		accept = true
	case "accept6":
		accept, only6 = true, true
	case "reject":
	case "reject6":
		only6 = true
	default:
		return nil, ErrSyntax
	}
	if strings.HasPrefix(pattern, "private") {
		return parsePrivate(accept, pattern)
	}
	host, portText, _ := strings.Cut(pattern, ":")
	switch host {
	case "*", "*4", "*6":
		ports, err := ParsePortRange(portText)
		if err != nil {
			return nil, err
		}
		var rules []Rule
		if host != "*6" && !only6 {
			rules = append(rules, Rule{accept, all4, ports})
		}
		if host != "*4" {
			rules = append(rules, Rule{accept, all6, ports})
		}
		return rules, nil
	}
	r, err := parsePattern(accept, pattern)
	if err != nil || only6 && r.is4() {
		return nil, err
	}
	return []Rule{r}, nil
}
