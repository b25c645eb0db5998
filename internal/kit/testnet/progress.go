package testnet

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// A meter tells how a start comes along: a line for each stage that is done, and on a terminal below them a bar that moves.
type meter struct {
	w    io.Writer
	live bool

	mu    sync.Mutex // guards the fields below, and the writing
	stage string     // that runs; empty if none does
	i, n  int
	begun time.Time
	timer *time.Timer
}

const (
	barWidth    = 24
	redrawEvery = 100 * time.Millisecond
	clearLine   = "\r\x1b[K"
)

func newMeter(w io.Writer) *meter {
	f, ok := w.(*os.File)
	return &meter{w: w, live: ok && term.IsTerminal(int(f.Fd()))}
}

// begin is told that the i-th of n stages begins.
func (m *meter) begin(stage string, i, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stage, m.i, m.n, m.begun = stage, i, n, time.Now()
	if m.live {
		m.draw()
		m.timer = time.AfterFunc(redrawEvery, m.redraw)
	}
}

func (m *meter) redraw() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stage != "" {
		m.draw()
		m.timer.Reset(redrawEvery)
	}
}

func (m *meter) draw() {
	done := barWidth * m.i / m.n
	bar := strings.Repeat("#", done) + strings.Repeat(".", barWidth-done)
	fmt.Fprintf(m.w, "%s[%s] %s %.1f s", clearLine, bar, m.stage, time.Since(m.begun).Seconds())
}

// done is told that a stage is over.
func (m *meter) done(stage string, took time.Duration) {
	m.end()
	printStage(m.w, stage, took, "")
}

// end takes the bar away.
func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live && m.stage != "" {
		m.timer.Stop()
		io.WriteString(m.w, clearLine)
	}
	m.stage = ""
}

func printStage(w io.Writer, name string, took time.Duration, note string) {
	fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-12s %6.2f s  %s", name, took.Seconds(), note), " "))
}
