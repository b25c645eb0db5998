// Package compress decodes and encodes directory documents by the content encodings of the directory protocol.
//
// What comes from outside is hostile: the size of the output, its ratio to the input and the memory of the decoder are
// limited, see [Limits]. Codecs are made for each call; the package has no state.
package compress

import "bytes"

// A Method is a content encoding. The zero Method is Identity.
//
// https://spec.torproject.org/dir-spec/standards-compliance.html
type Method uint8

const (
	Identity Method = iota
	Gzip
	Deflate // in the zlib format, as HTTP means it
	Zstd
	LZMA // in the "alone" format of old .lzma files
)

// names are the content encodings as they stand in HTTP headers. LZMA has a name of Tor's own because its decoders
// accept smaller dictionaries than others.
var names = [...]string{Identity: "identity", Gzip: "gzip", Deflate: "deflate", Zstd: "x-zstd", LZMA: "x-tor-lzma"}

// String returns the name of m as a content encoding.
func (m Method) String() string {
	if int(m) < len(names) {
		return names[m]
	}
	return "unknown"
}

// MethodByName returns the method of a content encoding.
func MethodByName(name string) (m Method, ok bool) {
	if name == "x-gzip" {
		return Gzip, true
	}
	for m, n := range names {
		if n == name {
			return Method(m), true
		}
	}
	return 0, false
}

// Detect guesses from its first bytes how b is compressed. Servers have been seen to mislabel documents; see C tor's
// detect_compression_method.
func Detect(b []byte) (m Method, ok bool) {
	switch {
	case len(b) < 3:
		return 0, false
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		return Gzip, true
	case b[0]&0x0f == 8 && (uint(b[0])<<8|uint(b[1]))%31 == 0:
		return Deflate, true
	case bytes.HasPrefix(b, []byte{0x5d, 0, 0}):
		return LZMA, true
	case bytes.HasPrefix(b, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return Zstd, true
	}
	return 0, false
}
