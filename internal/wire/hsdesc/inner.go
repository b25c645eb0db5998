package hsdesc

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// MaxIntroPoints is how many introduction points a descriptor may have.
const MaxIntroPoints = 20

// Inner is the text of the encrypted layer.
type Inner struct {
	IntroAuth   []string     // kinds of authentication at the introduction points, one of which a client must know; empty: none
	SingleOnion bool         // the service does not hide where it is
	FlowControl *FlowControl // nil: fixed windows
	PoW         *PoWParams   // nil: no proof of work is wanted
	Points      []IntroPoint
}

// FlowControl says how a service does congestion control.
//
// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
type FlowControl struct {
	Versions  protover.Set // of the protocol FlowCtrl; empty if what is there is malformed
	SendmeInc uint8        // DATA cells acknowledged by one SENDME; a client compares it with its own
}

// PoWParams are the parameters of the proof of work that a service wants.
//
// https://spec.torproject.org/hspow-spec/v1-equix.html
type PoWParams struct {
	Seed    [32]byte
	Effort  uint32 // suggested
	Expires time.Time
}

// Positions in innerSchema.
const (
	itemCreate2 = iota
	itemIntroAuth
	itemSingleOnion
	itemFlowControl
	itemPoW
)

const (
	kwCreate2     = "create2-formats"
	kwIntroAuth   = "intro-auth-required"
	kwSingleOnion = "single-onion-service"
	kwFlowControl = "flow-control"
	kwPoW         = "pow-params"

	create2NTor = 2
	authEd25519 = "ed25519"
	powV1       = "v1"

	flowCtrlPrefix = "FlowCtrl="

	nospaceTime = "2006-01-02T15:04:05"
)

// innerSchema is as in C tor (hs_desc_encrypted_v3_token_table). Introduction points have a schema of their own.
var innerSchema = netdoc.NewSchema(
	netdoc.Rule{Keyword: kwCreate2, Min: 1, Max: 1, Place: netdoc.First},
	netdoc.Rule{Keyword: kwIntroAuth, Max: 1, MinArgs: 1},
	netdoc.Rule{Keyword: kwSingleOnion, Max: 1},
	netdoc.Rule{Keyword: kwFlowControl, Max: 1, MinArgs: 2},
	netdoc.Rule{Keyword: kwPoW, Max: netdoc.Any, MinArgs: 1},
)

// ParseInner parses the text of the encrypted layer. signing is the descriptor signing key. Introduction points that are
// malformed, of an unknown kind or badly certified are left out, as in C tor; that there are none is no error. Nothing in the
// result aliases text.
//
// https://spec.torproject.org/rend-spec/hsdesc-encrypt.html#second-layer-plaintext
func ParseInner(text []byte, signing [32]byte, now time.Time) (*Inner, error) {
	in, err := parseInner(withNewline(text), signing, now)
	if err != nil {
		return nil, fmt.Errorf("encrypted layer: %w", err)
	}
	return in, nil
}

func parseInner(text []byte, signing [32]byte, now time.Time) (*Inner, error) {
	in := &Inner{}
	var starts []int // of the introduction points
	s := netdoc.NewScanner(text, netdoc.Options{})
	check := innerSchema.NewChecker()
	for s.Next() {
		it := s.Item()
		rule, err := check.Item(it)
		if err == nil {
			err = in.item(rule, it)
		}
		if err != nil {
			return nil, it.Wrap(err)
		}
		if it.Is(kwIntroPoint) {
			starts = append(starts, it.Start)
		}
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	if err := check.End(); err != nil {
		return nil, err
	}
	for i, start := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		p, err := parseIntroPoint(text[start:end], signing, now)
		if err != nil {
			continue
		}
		if len(in.Points) == MaxIntroPoints {
			return nil, fmt.Errorf("introduction points: %w", netdoc.ErrTooMany)
		}
		in.Points = append(in.Points, p)
	}
	return in, nil
}

func (in *Inner) item(rule int, it *netdoc.Item) (err error) {
	switch rule {
	case itemCreate2:
		return checkCreate2(it.Args)
	case itemIntroAuth:
		in.IntroAuth, err = parseIntroAuth(it.Args)
	case itemSingleOnion:
		in.SingleOnion = true
	case itemFlowControl:
		in.FlowControl, err = parseFlowControl(it.Args)
	case itemPoW:
		return in.parsePoW(it.Args)
	}
	return err
}

// checkCreate2 looks for the one handshake in use. What is no number is left out.
func checkCreate2(args netdoc.Args) error {
	for arg := args.Next(); arg != nil; arg = args.Next() {
		if n, err := netdoc.ParseUint(arg, math.MaxUint16); err == nil && n == create2NTor {
			return nil
		}
	}
	return ErrCreate2
}

func parseIntroAuth(args netdoc.Args) (list []string, err error) {
	err = ErrIntroAuth
	for arg := args.Next(); arg != nil; arg = args.Next() {
		if list = append(list, string(arg)); string(arg) == authEd25519 {
			err = nil
		}
	}
	return list, err
}

func parseFlowControl(args netdoc.Args) (*FlowControl, error) {
	f := &FlowControl{}
	if versions, err := protover.Parse(append([]byte(flowCtrlPrefix), args.Next()...)); err == nil {
		f.Versions = versions
	}
	inc, err := netdoc.ParseUint(args.Next(), math.MaxUint8)
	if err == nil && inc == 0 {
		err = netdoc.ErrBadValue // it is a divisor later
	}
	f.SendmeInc = uint8(inc)
	return f, err
}

// parsePoW reads a kind of proof of work, of which there may be several. It leaves unknown ones out.
func (in *Inner) parsePoW(args netdoc.Args) (err error) {
	if string(args.Next()) != powV1 {
		return nil
	}
	if in.PoW != nil {
		return fmt.Errorf("%s: %w", powV1, netdoc.ErrTooMany)
	}
	p := &PoWParams{}
	in.PoW = p
	if err := netdoc.ParseBase64(p.Seed[:], args.Next()); err != nil {
		return err
	}
	effort, err := netdoc.ParseUint(args.Next(), math.MaxUint32)
	if err != nil {
		return err
	}
	p.Effort = uint32(effort)
	date, clock, _ := bytes.Cut(args.Next(), []byte("T"))
	p.Expires, err = netdoc.ParseTime(date, clock)
	return err
}

// AppendTo appends the text as C tor writes it.
func (in *Inner) AppendTo(dst []byte) ([]byte, error) {
	if len(in.Points) > MaxIntroPoints {
		return nil, fmt.Errorf("introduction points: %w", netdoc.ErrTooMany)
	}
	e := netdoc.NewEncoder(dst)
	e.Item(kwCreate2, strconv.Itoa(create2NTor))
	if len(in.IntroAuth) > 0 {
		e.Item(kwIntroAuth, in.IntroAuth...)
	}
	if in.SingleOnion {
		e.Item(kwSingleOnion)
	}
	if f := in.FlowControl; f != nil {
		e.Item(kwFlowControl, strings.TrimPrefix(f.Versions.String(), flowCtrlPrefix)).Uint(uint64(f.SendmeInc))
	}
	if p := in.PoW; p != nil {
		e.Item(kwPoW, powV1).PaddedBase64(p.Seed[:]).Uint(uint64(p.Effort)).Str(p.Expires.UTC().Format(nospaceTime))
	}
	for i := range in.Points {
		if err := in.Points[i].encode(e); err != nil {
			return nil, fmt.Errorf("introduction point %d: %w", i, err)
		}
	}
	return e.Bytes()
}
