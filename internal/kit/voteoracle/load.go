package voteoracle

import (
	"embed"
	"path"
	"strings"
	"testing"
)

//go:embed testdata
var testdata embed.FS

const extension = ".txtar.zst"

// Names returns the names of all recorded scenarios, sorted.
func Names() []string {
	var names []string
	for _, f := range must(testdata.ReadDir("testdata")) {
		if name, ok := strings.CutSuffix(f.Name(), extension); ok {
			names = append(names, name)
		}
	}
	return names
}

// Read returns a recorded scenario.
func Read(name string) (*Scenario, error) {
	file, err := testdata.ReadFile(path.Join("testdata", name+extension))
	if err != nil {
		return nil, err
	}
	return Decode(name, file)
}

// Each runs f for each recorded scenario, as a subtest of its name.
func Each(t *testing.T, f func(t *testing.T, s *Scenario)) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			s, err := Read(name)
			if err != nil {
				t.Fatal(err)
			}
			f(t, s)
		})
	}
}

// FileName is the name of the file of a scenario.
func FileName(scenario string) string { return scenario + extension }
