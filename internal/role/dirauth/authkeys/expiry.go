package authkeys

import (
	"fmt"
	"log/slog"
	"time"
)

const day = 24 * time.Hour

// CheckInterval is how often C tor looks at the certificate.
const CheckInterval = 5 * time.Minute

// Expiry remembers when the operator was last told that the certificate is about to expire. The zero value is ready.
type Expiry struct{ warned time.Time }

// A Warning is for the operator.
type Warning struct {
	Level slog.Level
	Text  string
}

// Check says what the operator must be told of a certificate, if it is time to say it (v3_authority_check_key_expiry).
func (e *Expiry) Check(expires, now time.Time) (Warning, bool) {
	left := expires.Sub(now)
	level, interval := slog.LevelWarn, time.Hour
	switch {
	case left <= 0:
		level = slog.LevelError
	case left <= day:
	case left <= 7*day:
		interval = day
	case left <= 30*day:
		interval = 5 * day
	default:
		return Warning{}, false
	}
	if !e.warned.IsZero() && now.Before(e.warned.Add(interval)) {
		return Warning{}, false
	}
	e.warned = now
	text := "Your v3 authority certificate has expired. Generate a new one NOW."
	switch {
	case left <= 0:
	case left <= day:
		text = fmt.Sprintf("Your v3 authority certificate expires in %d hours; Generate a new one NOW.", left/time.Hour)
	default:
		text = fmt.Sprintf("Your v3 authority certificate expires in %d days; Generate a new one soon.", left/day)
	}
	return Warning{level, text}, true
}

// Check is [Expiry.Check] for the certificate of the authority.
func (k *Keyring) Check(now time.Time) (Warning, bool) {
	return k.expiry.Check(k.Current().Cert.Expires, now)
}
