package ctor

import (
	"errors"
	"os"
	"testing"
	"time"
)

const statLine = "42 (a) b) S 1 42 42 0 -1 4194560 1 0 0 0 150 25 0 0 20 0 1 0 99 123456 300 18446744073709551615 1 1"

func TestParseStat(t *testing.T) {
	got, err := parseStat(statLine)
	want := Usage{CPU: 1750 * time.Millisecond, RSS: int64(300 * os.Getpagesize())}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for name, bad := range map[string]string{
		"empty":        "",
		"short":        "42 (a) S 1 2 3",
		"not a number": "42 (a) S 1 42 42 0 -1 4194560 1 0 0 0 x 25 0 0 20 0 1 0 99 123456 300 1",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseStat(bad); !errors.Is(err, ErrUsage) {
				t.Errorf("got %v, want ErrUsage", err)
			}
		})
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add(statLine)
	f.Add(")")
	f.Fuzz(func(t *testing.T, stat string) { parseStat(stat) })
}
