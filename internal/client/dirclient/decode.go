package dirclient

import (
	"github.com/tropea-net/tropea/internal/lib/compress"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// decode undoes the encoding of a body. As C tor does, it believes the bytes more than the header when they clearly are
// of another encoding: servers have been seen to mislabel documents.
func decode(e dirhttp.Encoding, body []byte, maxBody int) ([]byte, error) {
	m, known := compress.MethodByName(e.String())
	if found, ok := compress.Detect(body); ok && found != m {
		m, known = found, true
	}
	if !known {
		m = compress.Identity
	}
	return compress.Decode(m, body, compress.Limits{MaxOutput: int64(maxBody)})
}
