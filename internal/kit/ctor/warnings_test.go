package ctor

import "testing"

func TestProtocolWarnings(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		want       bool
	}{
		{"complaint", "Nov 22 15:28:54.013 [warn] {PROTOCOL} Got a badly formatted connected cell. Closing.", true},
		{"complaint at info", "Nov 22 15:28:54.013 [info] {PROTOCOL} channel_tls_handle_cell(): Cell of unknown type (77) received in channeltls.c.  Dropping.", true},
		{"second domain", "Nov 22 15:28:54.013 [info] {OR,PROTOCOL} x(): Received a bad CERTS cell", true},
		{"complaint of another domain", "Nov 22 15:28:54.013 [warn] {CIRC} n_chan already set. Bug/attack. Closing.", true},
		{"no domains", "Nov 22 15:28:54.013 [warn] Got a bad signature on a networkstatus vote", true},
		{"error", "Nov 22 15:28:54.013 [err] {CONFIG} Reading config failed", true},
		{"bug", "Nov 22 15:28:54.013 [warn] {BUG} tor_bug_occurred_(): Bug: src/core/or/relay.c:1: x: Non-fatal assertion failed.", true},
		{"bug at info", "Nov 22 15:28:54.013 [info] {GENERAL} x(): Bug: unlikely", true},
		{"crash", "============================================================ T= 1 Bug: stack", true},

		{"about the configuration", "Nov 22 15:28:54.013 [warn] {CONFIG} The configuration option is deprecated", false},
		{"about an application", "Nov 22 15:28:54.013 [warn] {APP} Your application is giving Tor only an IP address", false},
		{"info of another domain", "Nov 22 15:28:54.013 [info] {OR} connection_or_set_canonical(): Channel 0 chose an idle timeout", false},
		{"harmless", `Nov 22 15:28:54.013 [warn] {DIR} Received http status code 404 ("Not found") from server 127.0.0.1:1 while fetching consensus directory.`, false},
		{"debug", "Nov 22 15:28:54.013 [debug] {PROTOCOL} x(): y", false},
		{"no log line", "Nov 22", false},
		{"empty", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const before, after = "Nov 22 15:28:00.000 [notice] {GENERAL} before\r\n", "Nov 22 15:29:00.000 [notice] {GENERAL} after"
			got := ProtocolWarnings(before + tt.line + "\r\n" + after)
			if want := []string{tt.line}; tt.want && (len(got) != 1 || got[0] != want[0]) || !tt.want && len(got) != 0 {
				t.Errorf("got %q, want it found: %v", got, tt.want)
			}
		})
	}
}

func FuzzProtocolWarnings(f *testing.F) {
	f.Add("Nov 22 15:28:54.013 [warn] {PROTOCOL} Got a badly formatted connected cell. Closing.\n")
	f.Add("Nov 22 15:28:54.013 [info] {OR,PROTOCOL} x(): y\r\n[")
	f.Fuzz(func(t *testing.T, log string) {
		for _, line := range ProtocolWarnings(log) {
			if again := ProtocolWarnings(line); len(again) != 1 || again[0] != line {
				t.Errorf("%q was found once, but then %q", line, again)
			}
		}
	})
}
