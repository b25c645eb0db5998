package logfmt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/app/logfmt"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

var when = time.Date(2026, 11, 2, 15, 6, 1, 987654321, time.UTC)

func put(h slog.Handler, l slog.Level, msg string, args ...any) {
	if !h.Enabled(context.Background(), l) {
		return
	}
	rec := slog.NewRecord(when, l, msg, 0)
	rec.Add(args...)
	h.Handle(context.Background(), rec)
}

func rules(t *testing.T, lines ...string) (r []logfmt.Rule) {
	for _, l := range lines {
		rule, err := logfmt.ParseRule(l)
		if err != nil {
			t.Fatal(err)
		}
		r = append(r, rule)
	}
	return r
}

func configure(t *testing.T, o *logfmt.Output, opt logfmt.Options) {
	t.Helper()
	opt.Program = "Tor 0.4.9.11"
	if err := o.Configure(opt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
}

func TestLines(t *testing.T) {
	for _, tt := range []struct {
		name string
		log  func(slog.Handler)
		want string
	}{
		{"message", func(h slog.Handler) { put(h, safelog.LevelNotice, "Bootstrapped 100% (done): Done") }, "[notice] Bootstrapped 100% (done): Done"},
		{"severities", func(h slog.Handler) {
			for _, l := range []slog.Level{safelog.LevelErr, safelog.LevelWarn, safelog.LevelInfo, safelog.LevelDebug, safelog.LevelWarn + 1} {
				put(h, l, "x")
			}
		}, "[err] x|[warn] x|[info] x|[debug] x|[warn] x"},
		{
			"attributes", func(h slog.Handler) {
				put(h, safelog.LevelWarn, "link closed", "relay", "$AA", "err", errors.New("relay sent CERTS twice"), "n", 3, "d", time.Second, "e", "", "t", when)
			},
			`[warn] link closed: relay=$AA err="relay sent CERTS twice" n=3 d=1s e="" t=2026-11-02T15:06:01Z`,
		},
		{
			"attributes of a logger", func(h slog.Handler) {
				put(h.WithAttrs([]slog.Attr{slog.Int("link", 1)}).WithGroup("g").WithAttrs([]slog.Attr{slog.Int("circ", 2)}), safelog.LevelNotice, "x", "y", 1, slog.Group("h", "z", 2))
			},
			"[notice] x: link=1 g.circ=2 g.y=1 g.h.z=2",
		},
		{"sensitive", func(h slog.Handler) {
			put(h, safelog.LevelNotice, "x", "target", safelog.Of("example.com"), "err", safelog.Error(errors.New("dial 192.0.2.1"), "dial failed"))
		}, `[notice] x: target=[scrubbed] err="dial failed"`},
		{
			"forged line", func(h slog.Handler) {
				put(h, safelog.LevelNotice, "a\nNov 02 15:06:01.000 [err] b\x1b[2J", "k\n", "v\nw\u202e", "u", "ä")
			},
			`[notice] a\nNov 02 15:06:01.000 [err] b\x1b[2J: k\n="v\nw\u202e" u=ä`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			o := logfmt.New(&b, nil, logfmt.Normal)
			configure(t, o, logfmt.Options{Rules: rules(t, "debug stdout"), Granularity: time.Second})
			tt.log(o.Handler())
			got := strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "Nov 02 15:06:01.000 [", "[")
			want := strings.ReplaceAll(strings.ReplaceAll(tt.want, "|", "\n"), "Nov 02 15:06:01.000 [", "[")
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestGranularity(t *testing.T) {
	for _, tt := range []struct {
		granularity time.Duration
		want        string
	}{
		{0, "Nov 02 15:06:01.987 "}, {time.Millisecond, "Nov 02 15:06:01.987 "}, {250 * time.Millisecond, "Nov 02 15:06:01.750 "},
		{time.Second, "Nov 02 15:06:01.000 "}, {time.Minute, "Nov 02 15:06:00.000 "},
	} {
		var b bytes.Buffer
		o := logfmt.New(&b, nil, logfmt.Normal)
		configure(t, o, logfmt.Options{Granularity: tt.granularity})
		put(o.Handler(), safelog.LevelNotice, "x")
		if got := b.String(); got != tt.want+"[notice] x\n" {
			t.Errorf("%v: got %q, want %q", tt.granularity, got, tt.want)
		}
	}
}

func TestReveal(t *testing.T) {
	var b bytes.Buffer
	o := logfmt.New(&b, nil, logfmt.Normal)
	h := o.Handler().WithAttrs([]slog.Attr{slog.Any("bridge", safelog.Of("192.0.2.1"))}) // made before it is known
	configure(t, o, logfmt.Options{Reveal: true})
	put(h, safelog.LevelNotice, "x", "err", fmt.Errorf("open: %w", safelog.Error(errors.New("dial example.com"), "dial failed")))
	if got, want := b.String(), `x: bridge=192.0.2.1 err="open: dial example.com"`; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestQuiet(t *testing.T) {
	for _, tt := range []struct {
		quiet logfmt.Quiet
		want  string
	}{{logfmt.Normal, "e w n"}, {logfmt.Hush, "e w"}, {logfmt.Silent, ""}} {
		for _, configured := range []bool{false, true} {
			var b bytes.Buffer
			o := logfmt.New(&b, nil, tt.quiet)
			if configured {
				configure(t, o, logfmt.Options{Quiet: tt.quiet})
			}
			put(o.Handler(), safelog.LevelErr, "e")
			put(o.Handler(), safelog.LevelWarn, "w")
			put(o.Handler(), safelog.LevelNotice, "n")
			put(o.Handler(), safelog.LevelInfo, "i")
			if got := strings.Join(texts(b.String()), " "); got != tt.want {
				t.Errorf("%d: got %q, want %q", tt.quiet, got, tt.want)
			}
		}
	}
}

var prefix = regexp.MustCompile(`(?m)^... .. ..:..:..\.... \[[a-z]+\] `)

// texts returns the lines of a log without time and severity.
func texts(log string) []string {
	return strings.Split(strings.TrimSuffix(prefix.ReplaceAllString(log, ""), "\n"), "\n")
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(texts(string(b)), "|")
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notice log")
	var stdout, stderr bytes.Buffer
	o := logfmt.New(&stdout, &stderr, logfmt.Hush)
	put(o.Handler(), safelog.LevelNotice, "early")
	put(o.Handler(), safelog.LevelWarn, "early warning")
	opt := logfmt.Options{Rules: rules(t, "notice-warn file "+path, "err stderr", "warn")}
	configure(t, o, opt)
	put(o.Handler(), safelog.LevelErr, "e")
	put(o.Handler(), safelog.LevelWarn, "w")
	put(o.Handler(), safelog.LevelInfo, "i")

	const first = "Tor 0.4.9.11 opening new log file.|early|early warning|w"
	if got := read(t, path); got != first {
		t.Errorf("file: got %q, want %q", got, first)
	}
	if got := strings.Join(texts(stdout.String()), "|"); got != "early warning|e|w" {
		t.Errorf("stdout: got %q", got)
	}
	if got := strings.Join(texts(stderr.String()), "|"); got != "e" {
		t.Errorf("stderr: got %q", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o137 != 0 {
		t.Errorf("got mode %v, %v; want 0640 at most", info.Mode(), err)
	}

	// Log rotation moves the file away; the lines follow it until the log is reopened.
	moved := path + ".1"
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	put(o.Handler(), safelog.LevelWarn, "to the old file")
	if err := o.Reopen(); err != nil {
		t.Fatal(err)
	}
	put(o.Handler(), safelog.LevelWarn, "to the new file")
	if got := read(t, moved); got != first+"|to the old file" {
		t.Errorf("moved: got %q", got)
	}
	if got := read(t, path); got != "Tor 0.4.9.11 opening new log file.|to the new file" {
		t.Errorf("reopened: got %q", got)
	}

	// A configuration that fails changes nothing.
	if err := o.Configure(logfmt.Options{Rules: rules(t, "err stdout", "notice file "+t.TempDir())}); err == nil {
		t.Error("a directory was opened as a log file")
	}
	put(o.Handler(), safelog.LevelWarn, "still")
	if got := read(t, path); !strings.HasSuffix(got, "|still") {
		t.Errorf("after a bad configuration: got %q", got)
	}
}

func TestTruncate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	opt := logfmt.Options{Rules: rules(t, "notice file "+path), Truncate: true}
	o := logfmt.New(&bytes.Buffer{}, nil, logfmt.Silent)
	configure(t, o, opt)
	put(o.Handler(), safelog.LevelNotice, "kept")
	configure(t, o, opt) // only the first opening truncates
	if got, want := read(t, path), "Tor 0.4.9.11 opening new log file.|kept"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	opt.Truncate = false
	again := logfmt.New(&bytes.Buffer{}, nil, logfmt.Silent)
	configure(t, again, opt)
	if got, want := read(t, path), "Tor 0.4.9.11 opening new log file.|kept|Tor 0.4.9.11 opening log file."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDaemon(t *testing.T) {
	var b bytes.Buffer
	o := logfmt.New(&b, &b, logfmt.Normal)
	configure(t, o, logfmt.Options{Rules: rules(t, "notice stdout", "notice stderr"), Daemon: true})
	put(o.Handler(), safelog.LevelErr, "x")
	configure(t, o, logfmt.Options{Daemon: true})
	put(o.Handler(), safelog.LevelErr, "y")
	if b.Len() > 0 {
		t.Errorf("a daemon wrote %q", b.String())
	}
}

func TestDomains(t *testing.T) {
	var all, config bytes.Buffer
	o := logfmt.New(&all, &config, logfmt.Normal)
	configure(t, o, logfmt.Options{Rules: rules(t, "notice stdout", "[general,net] notice [ *, ~general ] info stderr"), Domains: true})
	slog.New(o.Handler()).Info("from this package")
	slog.New(o.Handler()).Debug("more")
	if got := texts(all.String())[0]; got != "{GENERAL} from this package" {
		t.Errorf("got %q", got)
	}
	if got := strings.Join(texts(config.String()), "|"); got != "{GENERAL} from this package" {
		t.Errorf("got %q", got)
	}
}

type fakeSyslog struct{ lines []string }

func (f *fakeSyslog) put(s, m string) error  { f.lines = append(f.lines, s+" "+m); return nil }
func (f *fakeSyslog) Err(m string) error     { return f.put("err", m) }
func (f *fakeSyslog) Warning(m string) error { return f.put("warning", m) }
func (f *fakeSyslog) Notice(m string) error  { return f.put("notice", m) }
func (f *fakeSyslog) Info(m string) error    { return f.put("info", m) }
func (f *fakeSyslog) Debug(m string) error   { return f.put("debug", m) }
func (f *fakeSyslog) Close() error           { return f.put("close", "") }

func TestSyslog(t *testing.T) {
	var f fakeSyslog
	var tag string
	o := logfmt.New(&bytes.Buffer{}, nil, logfmt.Silent)
	logfmt.SetSyslog(o, &f, &tag)
	configure(t, o, logfmt.Options{Rules: rules(t, "info syslog"), SyslogTag: "x"})
	for _, l := range []slog.Level{safelog.LevelErr, safelog.LevelWarn, safelog.LevelNotice, safelog.LevelInfo, safelog.LevelDebug} {
		put(o.Handler(), l, "m")
	}
	o.Debug()
	put(o.Handler(), safelog.LevelDebug, "m")
	o.Close()
	if got, want := strings.ReplaceAll(strings.Join(f.lines, "|"), "\n", ""), "err m|warning m|notice m|info m|debug m|close "; got != want || tag != "Tor-x" {
		t.Errorf("got %q tagged %q, want %q", got, tag, want)
	}
}

func TestConcurrent(t *testing.T) {
	var b bytes.Buffer
	o := logfmt.New(&b, nil, logfmt.Normal)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			log := slog.New(o.Handler())
			for range 100 {
				log.Info("x", "a", "b")
			}
		})
	}
	configure(t, o, logfmt.Options{})
	wg.Wait()
	lines := texts(b.String())
	for _, l := range lines {
		if l != "x: a=b" {
			t.Fatalf("torn line %q", l)
		}
	}
	if len(lines) != 800 {
		t.Errorf("got %d lines, want 800", len(lines))
	}
}

func TestLongMessage(t *testing.T) {
	var b bytes.Buffer
	o := logfmt.New(&b, nil, logfmt.Normal)
	put(o.Handler(), safelog.LevelNotice, strings.Repeat("ä", 20<<10))
	if got := b.String(); len(got) > 11<<10 || !strings.HasSuffix(got, "ä[...truncated]\n") {
		t.Errorf("got %d bytes that end in %q", len(got), got[len(got)-20:])
	}
}

func TestParseRuleBad(t *testing.T) {
	for _, s := range []string{
		"", "stdout", "file /x", "foo stdout", "notice file", "notice stdout x", "notice syslog x", "notice debug stdout", "notice-foo stdout",
		"err-debug stdout", "[net notice stdout", "[foo] notice stdout", "[] notice stdout", "[net] stdout", "notice nowhere",
	} {
		if r, err := logfmt.ParseRule(s); err == nil {
			t.Errorf("%q: got %+v, want an error", s, r)
		}
	}
}

func FuzzParseRule(f *testing.F) {
	f.Add("notice-warn [*,~net]debug file /x y", "m", "v")
	f.Add("[net,crypto] info stdout", "a\nb", "\x1b")
	f.Fuzz(func(t *testing.T, rule, msg, val string) {
		if r, err := logfmt.ParseRule(rule); err == nil && (r.Target == logfmt.File) != (r.Path != "") {
			t.Errorf("%q: %+v", rule, r)
		}
		var b bytes.Buffer
		put(logfmt.New(&b, nil, logfmt.Normal).Handler(), safelog.LevelNotice, msg, val, val)
		if n := strings.Count(b.String(), "\n"); n != 1 || strings.ContainsAny(b.String(), "\x1b\r\x00") {
			t.Errorf("got %q", b.String())
		}
	})
}

func BenchmarkHandler(b *testing.B) {
	o := logfmt.New(&bytes.Buffer{}, nil, logfmt.Silent)
	if err := o.Configure(logfmt.Options{Rules: nil, Quiet: logfmt.Hush}); err != nil {
		b.Fatal(err)
	}
	log := slog.New(o.Handler())
	b.ReportAllocs()
	for b.Loop() {
		log.Info("not wanted", "circ", 1)
	}
}
