package ctor

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc: USER_HZ is 100 on every architecture.
const tick = 10 * time.Millisecond

func usage(pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return parseStat(string(stat))
}

// parseStat reads /proc/PID/stat, proc_pid_stat(5). The command's name stands in parentheses and may hold anything, so
// counting begins after the last parenthesis, with field 3.
func parseStat(stat string) (Usage, error) {
	const utime, stime, rss = 14 - 3, 15 - 3, 24 - 3
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) <= rss {
		return Usage{}, fmt.Errorf("%w: %d fields", ErrUsage, len(fields))
	}
	var v [3]int64
	for i, field := range []int{utime, stime, rss} {
		var err error
		if v[i], err = strconv.ParseInt(fields[field], 10, 64); err != nil {
			return Usage{}, fmt.Errorf("%w: %w", ErrUsage, err)
		}
	}
	return Usage{CPU: time.Duration(v[0]+v[1]) * tick, RSS: v[2] * int64(os.Getpagesize())}, nil
}
