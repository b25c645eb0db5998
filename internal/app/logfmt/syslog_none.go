//go:build windows || plan9 || js || wasip1

package logfmt

import "errors"

func dialSyslog(string) (sysWriter, error) {
	return nil, errors.New("this system has no syslog: use stdout, stderr or file PATH")
}
