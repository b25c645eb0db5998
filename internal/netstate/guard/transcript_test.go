package guard

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts in testdata anew")

// TestTranscripts plays the files in testdata. Each is a list of blocks: commands, a line of four dashes, what they print,
// and an empty line. Lines that begin with # are kept. The commands are the methods of script.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			switch {
			case got == string(want):
			case *rewrite:
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("the transcript differs: see what -rewrite makes of it; got\n%s", got)
			}
		})
	}
}

// play runs the commands of a transcript and returns it with what they print now.
func play(t *testing.T, text string) string {
	s := newScript(t)
	var out, printed strings.Builder
	answer := false // what comes is the old answer
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case answer:
			answer = line != ""
		case line == "----":
			fmt.Fprintf(&out, "----\n%s\n", printed.String())
			printed.Reset()
			answer = true
		case line == "" || strings.HasPrefix(line, "#"):
			out.WriteString(line + "\n")
		default:
			out.WriteString(line + "\n")
			printed.WriteString(s.run(line))
		}
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// script is the state of a transcript: a set and the world around it.
type script struct {
	t     *testing.T
	now   time.Time
	cfg   Config
	set   *Set
	net   netdirtest.Network
	view  *netdir.View
	lines []*statedoc.Guard // what load gives
}

func newScript(t *testing.T) *script {
	s := &script{t: t, now: time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC)}
	s.config(nil)
	return s
}

func (s *script) run(line string) string {
	words := strings.Fields(line)
	args := map[string]string{}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		args[key] = value
	}
	commands := map[string]func(map[string]string) string{
		"network": s.network, "config": s.config, "wait": s.wait, "pick": s.pick, "dirs": s.dirs, "up": s.up, "down": s.down,
		"show": s.show, "save": s.save, "load": s.load, "next": s.next,
	}
	run := commands[words[0]]
	if words[0] == "line" {
		g, err := statedoc.ParseGuard(strings.TrimPrefix(line, "line "))
		if err != nil {
			s.t.Fatal(err)
		}
		s.lines = append(s.lines, g)
		return ""
	}
	if run == nil {
		s.t.Fatalf("unknown command %q", line)
	}
	return run(args)
}

// numbers parses "1,3,5-7".
func (s *script) numbers(list string) (ns []int) {
	for part := range strings.SplitSeq(list, ",") {
		if part == "" {
			continue
		}
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(from)
		b := a
		if err == nil && isRange {
			b, err = strconv.Atoi(to)
		}
		if err != nil {
			s.t.Fatalf("%q: %v", list, err)
		}
		for ; a <= b; a++ {
			ns = append(ns, a)
		}
	}
	return ns
}

func accept(ns []int) func(*netdir.Relay) bool {
	return func(r *netdir.Relay) bool { return slices.Contains(ns, netdirtest.N(r)) }
}

// network makes a new consensus, valid from now on: guards= the numbers of the guards, others= of relays that are none,
// missing= of those without a microdescriptor, params= parameters with commas between. Guards get their number times 100
// as bandwidth.
func (s *script) network(args map[string]string) string {
	s.net = netdirtest.Network{ValidAfter: s.now.Add(-time.Minute), Params: strings.ReplaceAll(args["params"], ",", " ")}
	missing := s.numbers(args["missing"])
	for _, kind := range []struct {
		ns    []int
		flags consensus.Flags
	}{{s.numbers(args["guards"]), netdirtest.Guard}, {s.numbers(args["others"]), netdirtest.Plain}} {
		for _, n := range kind.ns {
			s.net.Relays = append(s.net.Relays, netdirtest.Relay{
				N: n, Flags: kind.flags, Bandwidth: uint32(100 * n), NoMicrodesc: slices.Contains(missing, n),
			})
		}
	}
	s.view = s.net.View()
	s.set.Update(s.view, s.now)
	return ""
}

// config makes a new set: entry= the numbers of EntryNodes, inuse= NumEntryGuards, noguards= UseEntryGuards 0.
func (s *script) config(args map[string]string) string {
	s.cfg = Config{Version: "test", Rand: rand.New(rand.NewPCG(1, 2))} // the same sample for the same network
	if entry, ok := args["entry"]; ok {
		s.cfg.Filter = accept(s.numbers(entry))
	}
	s.cfg.InUse, _ = strconv.Atoi(args["inuse"])
	_, s.cfg.NoGuards = args["noguards"]
	s.set = New(s.cfg)
	return ""
}

// wait lets time pass: a duration, or days with a d.
func (s *script) wait(args map[string]string) string {
	for text := range args {
		days, err := strconv.Atoi(strings.TrimSuffix(text, "d"))
		passed := time.Duration(days) * day
		if !strings.HasSuffix(text, "d") {
			passed, err = time.ParseDuration(text)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(passed)
	}
	return ""
}

// pick prints the guard for a circuit; not= the numbers of those that do not suit it.
func (s *script) pick(args map[string]string) string {
	not := accept(s.numbers(args["not"]))
	r, err := s.set.Pick(s.view, func(r *netdir.Relay) bool { return !not(r) }, s.now)
	if err != nil {
		return fmt.Sprintf("pick: %v\n", err)
	}
	return fmt.Sprintf("pick: %d\n", netdirtest.N(r))
}

// dirs prints up to three directory guards.
func (s *script) dirs(map[string]string) string {
	var ns []int
	for _, r := range s.set.Dirs(s.view, 3, s.now, nil) {
		ns = append(ns, netdirtest.N(r))
	}
	return fmt.Sprintf("dirs: %v\n", ns)
}

// up and down report outcomes: the numbers of guards, or "pick" for what Pick says now.
func (s *script) up(args map[string]string) string { return s.report("up", args, s.set.Succeeded) }
func (s *script) down(args map[string]string) string {
	return s.report("down", args, s.set.Failed)
}

func (s *script) report(what string, args map[string]string, tell func([20]byte, time.Time)) string {
	for list := range args {
		if list == "pick" {
			r, err := s.set.Pick(s.view, func(*netdir.Relay) bool { return true }, s.now)
			if err != nil {
				return fmt.Sprintf("%s: %v\n", what, err)
			}
			tell(r.RSA, s.now)
			return fmt.Sprintf("%s: %d\n", what, netdirtest.N(r))
		}
		for _, n := range s.numbers(list) {
			tell(netdirtest.ID(n), s.now)
		}
	}
	return ""
}

func number(g *guard) int { return int(g.RSA[0])<<8 | int(g.RSA[1]) }

// show prints the sample that is in use.
func (s *script) show(map[string]string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "sample %s of %d", s.set.current.name, len(s.set.current.guards))
	fmt.Fprint(&out, ", primary")
	for _, g := range s.set.current.primary {
		fmt.Fprintf(&out, " %d", number(g))
	}
	out.WriteString("\n ")
	for _, g := range s.set.current.guards {
		fmt.Fprintf(&out, " %d", number(g))
		if g.confirmed() {
			fmt.Fprintf(&out, ":confirmed%d", g.ConfirmedIdx)
		}
		if g.reach != untried {
			fmt.Fprintf(&out, ":%v", g.reach)
		}
		if !g.Listed {
			out.WriteString(":unlisted")
		} else if !g.passes {
			out.WriteString(":filtered")
		}
	}
	return out.String() + "\n"
}

// save prints the lines for the state file, and whether something had changed; only= how many at most.
func (s *script) save(args map[string]string) string {
	changed := s.set.Changed()
	var out strings.Builder
	fmt.Fprintf(&out, "changed: %v\n", changed)
	s.lines = s.set.Save()
	most, err := strconv.Atoi(args["only"])
	for i, g := range s.lines {
		line, encodeErr := g.Encode()
		if encodeErr != nil {
			s.t.Fatal(encodeErr)
		}
		if err != nil || i < most {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

// load makes a new set out of the lines that were given before, or that were saved.
func (s *script) load(map[string]string) string {
	s.set = New(s.cfg)
	s.set.Load(s.lines)
	s.lines = nil
	if s.view != nil {
		s.set.Update(s.view, s.now)
	}
	return ""
}

// next prints how long it is until a guard is tried again.
func (s *script) next(map[string]string) string {
	at := s.set.NextRetry(s.now)
	if at.IsZero() {
		return "next: never\n"
	}
	return fmt.Sprintf("next: in %v\n", at.Sub(s.now))
}
