package stats

import (
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// events are all that happen often.
func events(s *Stats) map[string]func(i int) {
	e := dirEvent(addr('d', 1), dircache.Served, time.Second)
	return map[string]func(i int){
		"AddRead":    func(i int) { s.AddRead(1000, true, began.Add(time.Duration(i)*time.Millisecond)) },
		"AddCells":   func(int) { s.AddCells(Cells{Total: 1}, Cells{Total: 1}) },
		"RendCells":  func(int) { s.RendCells(1) },
		"ExitStream": func(i int) { s.ExitStream(uint16(i)) },
		"ExitBytes":  func(i int) { s.ExitBytes(uint16(i), 1, 1) },
		"LinkBytes":  func(int) { s.LinkBytes(50000, 1, false) },
		"Client":     func(i int) { s.Client(addr('a', i)) },
		"DirRequest": func(int) { s.DirRequest(e) },
		"Onionskin":  func(int) { s.Onionskin(began) },
		"Overloaded": func(int) { s.Overloaded(ReadLimit, began) },
		"Circuit":    func(int) { s.CircuitClosed(Circuit{Began: began, Cells: 10}, began.Add(time.Minute)) },
	}
}

func all() Config {
	return Config{Countries: countries{}, Cells: true, Links: true, Entry: true, ExitPorts: true}
}

func BenchmarkEvents(b *testing.B) {
	s := New(all(), new(statedoc.Document), began)
	s.Tick(noon)
	for name, event := range events(s) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				event(i)
				i++
			}
		})
	}
}

func BenchmarkNewFromState(b *testing.B) {
	doc := parseState(b, ctorState)
	for b.Loop() {
		New(Config{}, doc, ctorSaved)
	}
}

// TestConcurrent has events while days end, for the race detector.
func TestConcurrent(t *testing.T) {
	s := New(all(), new(statedoc.Document), began)
	var wg sync.WaitGroup
	for _, event := range events(s) {
		wg.Go(func() {
			for i := range 2000 {
				event(i)
			}
		})
	}
	wg.Go(func() {
		for i := range 50 {
			s.ExtraInfo(began)
			s.OverloadGeneral(began)
			s.Observed(began)
			s.SetParams(nil)
			s.Save(new(statedoc.Document), began.Add(time.Duration(i)*time.Hour))
		}
	})
	for i := range 50 {
		cfg := all()
		cfg.Entry = i%2 == 0
		s.SetConfig(cfg, began.Add(time.Duration(i)*day))
		s.Tick(began.Add(time.Duration(i) * day))
	}
	wg.Wait()
}
