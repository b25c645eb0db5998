package dirhttp

import "strings"

// Encoding is how a body is compressed.
type Encoding uint8

// The encodings. Unknown is one that we do not know; the caller may look at the body to guess.
const (
	Identity Encoding = iota
	Deflate           // zlib format
	Gzip
	Zstd
	LZMA // the old .lzma format, with a bound on memory
	Unknown
)

var encodingNames = [...]string{
	Identity: "identity", Deflate: "deflate", Gzip: "gzip", Zstd: "x-zstd", LZMA: "x-tor-lzma", Unknown: "unknown",
}

// String returns the name in Content-Encoding and Accept-Encoding.
func (e Encoding) String() string { return encodingNames[min(e, Unknown)] }

// ParseEncoding returns the encoding of that name, or Unknown.
func ParseEncoding(name string) Encoding {
	if name == "x-gzip" {
		return Gzip
	}
	for e, known := range encodingNames[:Unknown] {
		if name == known {
			return Encoding(e)
		}
	}
	return Unknown
}

// Encodings is a set of encodings.
type Encodings uint8

// Has reports whether e is in the set.
func (s Encodings) Has(e Encoding) bool { return s&(1<<e) != 0 }

// With returns the set with e added.
func (s Encodings) With(e Encoding) Encodings { return s | 1<<e }

// All is what clients ask for over one hop. Over a circuit they send no list, since it would tell one client from another,
// and the path's ".z" asks for Deflate.
var All = []Encoding{LZMA, Zstd, Deflate, Gzip, Identity}

// encodingsText returns the value of Accept-Encoding.
func encodingsText(list []Encoding) string {
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.String()
	}
	return strings.Join(names, ", ")
}

// parseEncodings parses Accept-Encoding. Everyone accepts identity. Names that we do not know are skipped.
func parseEncodings(value string) Encodings {
	set := Encodings(0).With(Identity)
	for name := range strings.SplitSeq(value, ",") {
		if e := ParseEncoding(strings.TrimSpace(name)); e != Unknown {
			set = set.With(e)
		}
	}
	return set
}
