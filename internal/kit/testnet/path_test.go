package testnet

import (
	"slices"
	"testing"
)

func TestPathInLog(t *testing.T) {
	const log = `[info] {CIRC} circuit built: circ=1 path=$AA~relay1,$BB~relay2,$CC~exit1
[info] {CIRC} circuit built: circ=2 path=$AA~relay1,$DD~relay3,$CC~exit1
[info] {APP} stream opened: circ=1 to=one.test:80
[info] {APP} stream opened: circ=2 to=two.test:81
[info] {APP} stream opened: circ=2 to=one.test:80
[notice] Read configuration file
[info] {CIRC} circuit built: circ=1 path=$AA~relay1,$DD~relay3,$EE~exit2
[info] {APP} stream opened: circ=1 to=three.test:82
[info] {CIRC} circuit built: circ=2 path=$AA~relay1,$BB~relay2,$EE~exit2
[info] {APP} stream opened: circ=3 to=four.test:83
`
	for _, tt := range []struct {
		target string
		want   []string
	}{
		{"one.test:80", []string{"relay1", "relay3", "exit1"}},
		{"192.0.2.1:81", []string{"relay1", "relay3", "exit1"}},
		{"three.test:82", []string{"relay1", "relay3", "exit2"}},
		{"four.test:83", nil},
		{"five.test:84", nil},
	} {
		got, err := pathInLog(log, tt.target)
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.want != nil) {
			t.Errorf("%s: %q, %v; want %q", tt.target, got, err, tt.want)
		}
	}
}
