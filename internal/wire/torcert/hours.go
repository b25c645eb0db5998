package torcert

import (
	"fmt"
	"math"
	"time"
)

// Certificates expire at a full hour, counted since 1970 in 32 bits.

func fromHours(h uint32) time.Time { return time.Unix(int64(h)*3600, 0).UTC() }

// toHours rounds up: a certificate lives at least as long as was asked for.
func toHours(t time.Time) (uint32, error) {
	h := (t.Unix() + 3599) / 3600
	if t.Unix() < 0 || h > math.MaxUint32 {
		return 0, fmt.Errorf("expiry at %v: %w", t, ErrMalformed)
	}
	return uint32(h), nil
}

func checkExpiry(expires, now time.Time) error {
	if now.After(expires) {
		return fmt.Errorf("at %v: %w", expires.Format(time.RFC3339), ErrExpired)
	}
	return nil
}
