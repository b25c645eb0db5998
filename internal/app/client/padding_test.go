package client

import (
	"testing"

	"github.com/tropea-net/tropea/internal/core/padding"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// Either the user or the consensus can do without circuit padding; neither can bring it back.
//
// https://spec.torproject.org/padding-spec/circuit-level-padding.html
func TestCircuitPadding(t *testing.T) {
	view := func(list ...params.Value) *netdir.View {
		return netdir.New(&consensus.Consensus{Params: list}, func([32]byte) *microdesc.Microdesc { return nil })
	}
	for _, tt := range []struct {
		name string
		cfg  Config
		view *netdir.View
		want padding.Params
	}{
		{"by default", Config{}, nil, padding.Params{Queued: 1000}},
		{"CircuitPadding 0", Config{NoCircuitPadding: true}, view(), padding.Params{Disabled: true, Queued: 1000}},
		{"ReducedCircuitPadding 1", Config{ReducedCircuitPadding: true}, view(), padding.Params{Reduced: true, Queued: 1000}},
		{"off in the consensus", Config{}, view(params.Value{Name: "circpad_padding_disabled", Value: 1}), padding.Params{Disabled: true, Queued: 1000}},
		{"reduced in the consensus", Config{}, view(params.Value{Name: "circpad_padding_reduced", Value: 1}), padding.Params{Reduced: true, Queued: 1000}},
	} {
		if got := tt.cfg.circuitPadding(tt.view); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
