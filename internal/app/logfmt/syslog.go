//go:build !windows && !plan9 && !js && !wasip1

package logfmt

import "log/syslog"

func dialSyslog(tag string) (sysWriter, error) {
	return syslog.New(syslog.LOG_DAEMON|syslog.LOG_NOTICE, tag)
}
