// Package arch holds the policy on imports. See layers.txt.
package arch

import (
	_ "embed"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

//go:embed layers.txt
var layersTxt string

// impure lists what a pure package does without, with everything below it: it computes, and its caller does the I/O,
// the locking and the waiting.
var impure = []string{"net", "os", "io/ioutil", "context", "sync", "syscall", "log", "crypto/tls", "golang.org/x/sys", "golang.org/x/net"}

// allowed are the exceptions to impure.
var allowed = []string{"net/netip", "golang.org/x/sys/cpu"}

type policy struct {
	rank map[string]int  // layer -> position, lowest first
	pure map[string]bool // layer or package
	edge map[string]bool // "from -> to"
}

func parsePolicy(t *testing.T, txt string) policy {
	p := policy{map[string]int{}, map[string]bool{}, map[string]bool{}}
	for line := range strings.Lines(txt) {
		line, _, _ = strings.Cut(line, "#")
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "":
		case "layers":
			for i, name := range strings.Fields(rest) {
				name, star := strings.CutSuffix(name, "*")
				p.rank[name], p.pure[name] = i, star
			}
		case "pure":
			for _, pkg := range strings.Fields(rest) {
				p.pure[pkg] = true
			}
		case "edge":
			p.edge[strings.TrimSpace(rest)] = true
		default:
			t.Fatalf("layers.txt: unknown word %q", word)
		}
	}
	return p
}

// short names a package as layers.txt does: "root", "cmd/x", "core/circuit".
func short(mod, path string) string {
	if path == mod {
		return "root"
	}
	return strings.TrimPrefix(strings.TrimPrefix(path, mod+"/"), "internal/")
}

func layerOf(pkg string) string {
	layer, _, _ := strings.Cut(pkg, "/")
	if slices.Contains([]string{"arch", "tropeatest", "test"}, layer) {
		return "kit"
	}
	return layer
}

func (p policy) isPure(pkg string) bool { return p.pure[pkg] || p.pure[layerOf(pkg)] }

func under(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return path == r || strings.HasPrefix(path, r+"/") })
}

func TestImports(t *testing.T) {
	p := parsePolicy(t, layersTxt)
	const format = `{{.Module.Path}} {{.ImportPath}} {{join .Imports " "}}`
	out, err := exec.Command("go", "list", "-f", format, "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		mod, pkg := f[0], short(f[0], f[1])
		from, ok := p.rank[layerOf(pkg)]
		if !ok {
			t.Errorf("%s: in no layer of layers.txt", pkg)
			continue
		}
		for _, path := range f[2:] {
			if path != mod && !strings.HasPrefix(path, mod+"/") {
				if p.isPure(pkg) && under(path, impure) && !under(path, allowed) {
					t.Errorf("%s is pure and imports %s", pkg, path)
				}
				continue
			}
			imp := short(mod, path)
			edge := pkg + " -> " + imp
			to, ok := p.rank[layerOf(imp)]
			switch {
			case !ok:
				t.Errorf("%s: %s is in no layer", edge, imp)
			case p.isPure(pkg) && !p.isPure(imp):
				t.Errorf("%s: pure imports impure", edge)
			case to < from || strings.HasPrefix(imp, pkg+"/") || layerOf(pkg) == "kit" && to == from:
			case to == from && p.edge[edge]:
				used[edge] = true
			default:
				t.Errorf("%s: not allowed by layers.txt", edge)
			}
		}
	}
	for e := range p.edge {
		if !used[e] {
			t.Errorf("layers.txt: edge %q is unused; delete it", e)
		}
	}
}
