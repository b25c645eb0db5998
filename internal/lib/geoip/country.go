package geoip

import "strings"

// country is a code of two characters; 0 is Unknown.
type country uint16

const characters = "?abcdefghijklmnopqrstuvwxyz0123456789"

// codes has all codes behind each other, so that none need be allocated.
var codes = func() string {
	var b strings.Builder
	for _, x := range characters {
		for _, y := range characters {
			b.WriteRune(x)
			b.WriteRune(y)
		}
	}
	return b.String()
}()

func (c country) String() string { return codes[2*c : 2*c+2] }

func parseCountry(s string) (c country, ok bool) {
	if len(s) != 2 {
		return 0, false
	}
	x, y := strings.IndexByte(characters, lower(s[0])), strings.IndexByte(characters, lower(s[1]))
	return country(x*len(characters) + y), x >= 0 && y >= 0
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		b += 'a' - 'A'
	}
	return b
}
