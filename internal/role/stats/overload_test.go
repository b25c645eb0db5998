package stats

import (
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/params"
)

func TestOverload(t *testing.T) {
	b := newBed(t, nil)
	hour := began.Truncate(time.Hour)
	if got := b.OverloadGeneral(began); !got.IsZero() {
		t.Errorf("at the start: %v", got)
	}
	for i := range 150 { // seconds
		b.Overloaded(ReadLimit, began.Add(time.Duration(i)*time.Second))
	}
	b.Overloaded(WriteLimit, began)
	b.Overloaded(Files, began)
	b.Overloaded(General, began)
	const rate = "overload-ratelimits 1 2026-08-20 03:00:00 1000 2000 3 1"
	const files = "overload-fd-exhausted 1 2026-08-20 03:00:00"
	b.want(began, rate, files)
	b.want(hour.Add(24*time.Hour-time.Second), rate, files)
	b.wantNo(hour.Add(24*time.Hour), "overload-ratelimits")
	b.want(hour.Add(72*time.Hour-time.Second), files)
	b.wantNo(hour.Add(72*time.Hour), "overload")
	for after, want := range map[time.Duration]time.Time{0: hour, 72*time.Hour - time.Second: hour, 72 * time.Hour: {}} {
		if got := b.OverloadGeneral(hour.Add(after)); !got.Equal(want) {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
	cfg := b.cfg
	cfg.NoOverload = true
	b.SetConfig(cfg, began)
	b.wantNo(began, "overload")
	if got := b.OverloadGeneral(began); !got.IsZero() {
		t.Errorf("with OverloadStatistics 0: %v", got)
	}
}

func TestOnionskins(t *testing.T) {
	for name, tt := range map[string]struct {
		params     params.List
		n, dropped int
		after      time.Duration
		overloaded bool
	}{
		"few are dropped":          {nil, 10000, 99, 6 * time.Hour, false},
		"one in a hundred":         {nil, 10000, 100, 6 * time.Hour, true},
		"too early":                {nil, 10000, 100, 6*time.Hour - time.Second, false},
		"too few":                  {nil, 999, 999, 6 * time.Hour, false},
		"consensus is strict":      {params.List{{Name: "overload_onionskin_ntor_scale_percent", Value: 100}}, 10000, 10, 6 * time.Hour, true},
		"consensus is lenient":     {params.List{{Name: "overload_onionskin_ntor_scale_percent", Value: 2000}}, 10000, 199, 6 * time.Hour, false},
		"consensus wants an hour":  {params.List{{Name: "overload_onionskin_ntor_period_secs", Value: 3600}}, 10000, 100, time.Hour, true},
		"consensus wants nonsense": {params.List{{Name: "overload_onionskin_ntor_scale_percent", Value: 200_000}}, 10000, 9999, 6 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, nil)
			b.SetParams(tt.params)
			for range tt.n {
				b.Onionskin(began)
			}
			for range tt.dropped {
				b.OnionskinDropped()
			}
			now := began.Add(tt.after)
			b.Onionskin(now)
			if got := !b.OverloadGeneral(now).IsZero(); got != tt.overloaded {
				t.Errorf("overloaded: %v, want %v", got, tt.overloaded)
			}
			if got := strings.Contains(b.log.String(), "overloaded"); got != tt.overloaded {
				t.Errorf("log: %s", b.log.String())
			}
		})
	}
}

// A period is judged for itself.
func TestOnionskinPeriods(t *testing.T) {
	b := newBed(t, nil)
	now := began
	for period := range 3 {
		for range 2000 {
			b.Onionskin(now)
			if period == 0 {
				b.OnionskinDropped()
			}
		}
		now = now.Add(6 * time.Hour)
	}
	if got, want := b.OverloadGeneral(now), began.Add(6*time.Hour).Truncate(time.Hour); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
