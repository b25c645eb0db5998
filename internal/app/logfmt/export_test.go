package logfmt

// SetSyslog makes o write to w in place of the system's log.
func SetSyslog(o *Output, w interface {
	Err(string) error
	Warning(string) error
	Notice(string) error
	Info(string) error
	Debug(string) error
	Close() error
}, tag *string) {
	o.syslog = func(t string) (sysWriter, error) {
		*tag = t
		return w, nil
	}
}
