package voteoracle

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// splitVotes splits C tor's file of pending votes, one after another.
func splitVotes(text []byte) []Vote {
	var votes []Vote
	first := []byte("network-status-version 3\n")
	for part := range bytes.SplitSeq(text, append([]byte("\n"), first...)) {
		if len(votes) > 0 {
			part = slices.Concat(first, part)
		}
		if !bytes.HasSuffix(part, []byte("\n")) {
			part = append(part[:len(part):len(part)], '\n')
		}
		author := slices.IndexFunc(Authorities(), func(a Authority) bool { return bytes.Contains(part, a.Cert) })
		votes = append(votes, Vote{author, part})
	}
	return votes
}

var (
	logLine = regexp.MustCompile(`^\w{3} \d\d [\d:.]+ \[(notice|warn|err)\] (.*)`)

	// told are the lines of the log about the tally. The others are about the process, or have a line for each relay.
	told = regexp.MustCompile(`bandwidth|Bw|consensus method|SRV|authority has voted|param`)
)

func notes(log string) []string {
	var list []string
	for line := range strings.Lines(log) {
		if m := logLine.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil && told.MatchString(m[2]) {
			list = append(list, m[2])
		}
	}
	return list
}
