package trusteddirs

import (
	_ "embed"
	"strings"
)

var (
	//go:embed authorities.txt
	authoritiesTxt string
	//go:embed fallbacks.txt
	fallbacksTxt string
)

// Default returns the authorities and the fallback directories of the public Tor network. The caller owns the slices.
func Default() ([]Authority, []Fallback) {
	return all(authoritiesTxt, ParseAuthority), all(fallbacksTxt, ParseFallback)
}

// all parses the lines of an embedded file, which a test has proved to be right.
func all[T any](text string, parse func(string) (T, []string, error)) (list []T) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		v, _, err := parse(line)
		if err != nil {
			panic("trusteddirs: built-in line " + line + ": " + err.Error())
		}
		list = append(list, v)
	}
	return list
}
