package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/detachedsig"
	"github.com/tropea-net/tropea/internal/wire/doclist"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// ErrKind is the error for data that is no directory document.
var ErrKind = errors.New("not a directory document of any kind that is known here")

// An Inspector reads documents. The zero Inspector works, but its time is long ago.
type Inspector struct {
	Now time.Time

	certs   map[consensus.KeyID]*authcert.Cert
	routers map[[20]byte]*routerdesc.Descriptor // by digest of the extra-info document
}

// AddCerts makes certificates known. Those that are malformed are left out.
func (in *Inspector) AddCerts(data []byte) {
	for text := range authcert.Split(data) {
		if c, err := authcert.Parse(text); err == nil {
			in.addCert(c)
		}
	}
}

func (in *Inspector) addCert(c *authcert.Cert) {
	if in.certs == nil {
		in.certs = map[consensus.KeyID]*authcert.Cert{}
	}
	in.certs[consensus.KeyID{Identity: c.Fingerprint, SigningKey: c.SigningFP}] = c
}

// A kind is a sort of documents that one file may have many of.
type kind struct {
	name, keyword string
	limit         int // how long one may be, in bytes
	read          func(in *Inspector, d *Document, text []byte) error
}

// Keywords that begin documents which may be mixed.
const (
	kwRouter    = "router"
	kwExtraInfo = "extra-info"
)

// kinds is filled in by init, since its functions refer to it.
var kinds []kind

func init() {
	kinds = []kind{
		{"consensus or vote", "network-status-version", consensus.MaxLen, (*Inspector).status},
		{"authority certificate", "dir-key-certificate-version", authcert.MaxLen, (*Inspector).cert},
		{"router descriptor", kwRouter, routerdesc.MaxLen, (*Inspector).router},
		{"extra-info document", kwExtraInfo, 1 << 20, (*Inspector).extraInfo},
		{"microdescriptor", "onion-key", 1 << 20, (*Inspector).microdesc},
		{"detached signatures", "consensus-digest", detachedsig.MaxLen, (*Inspector).detached},
		{"onion service descriptor", "hs-descriptor", maxHSDesc, (*Inspector).hsDesc},
	}
}

// Documents reads all documents of a file or an answer. They are all of the kind of the first; but router descriptors and extra-info
// documents may be mixed, as relays upload them.
func (in *Inspector) Documents(data []byte) ([]*Document, error) {
	word := firstWord(data)
	if isNumber(word) {
		d := &Document{Kind: "bandwidth file", Line: 1}
		d.fail(in.bandwidthFile(d, data))
		return []*Document{d}, nil
	}
	switch {
	case kindOf(word) == nil:
		return nil, fmt.Errorf("begins with %q: %w", clean(string(word[:min(len(word), 40)])), ErrKind)
	case string(word) == kwRouter, string(word) == kwExtraInfo:
		return in.split(data, kwRouter, kwExtraInfo), nil
	}
	return in.split(data, string(word)), nil
}

func kindOf(word []byte) *kind {
	for i := range kinds {
		if kinds[i].keyword == string(word) {
			return &kinds[i]
		}
	}
	return nil
}

// split reads the documents of a list, extra-info documents last.
func (in *Inspector) split(data []byte, keywords ...string) (docs []*Document) {
	pos, line := 0, 1
	var later []func()
	for e := range doclist.Split(data, keywords...) {
		start := pos + bytes.Index(data[pos:], e.Text)
		line += bytes.Count(data[pos:start], []byte{'\n'})
		pos = start
		k := kindOf(firstWord(e.Text))
		d := &Document{Kind: k.name, Line: line}
		docs = append(docs, d)
		read := func() {
			if len(e.Text) > k.limit {
				d.fail(&netdoc.Error{Line: 1, Err: netdoc.ErrTooLong})
			} else {
				d.fail(k.read(in, d, e.Text))
			}
		}
		if k.keyword == kwExtraInfo {
			later = append(later, read)
		} else {
			read()
		}
	}
	for _, read := range later {
		read()
	}
	return docs
}

// fail tells why the document could not be read. Errors count lines from the beginning of the document.
func (d *Document) fail(err error) {
	if err == nil {
		return
	}
	d.Err = err.Error()
	if e, ok := errors.AsType[*netdoc.Error](err); ok && e.Line > 0 {
		e.Line += d.Line - 1
		d.Err = e.Error()
	}
}

// firstWord is the first word after blank lines and annotations.
func firstWord(data []byte) []byte {
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		if len(line) > 0 && line[0] != '@' {
			word, _, _ := bytes.Cut(line, []byte{' '})
			return word
		}
		data = rest
	}
	return nil
}

func isNumber(word []byte) bool {
	_, err := netdoc.ParseUint(word, 1<<62)
	return err == nil
}

// NeedsRouters reports whether it takes router descriptors to check the documents of a file.
func NeedsRouters(data []byte) bool { return string(firstWord(data)) == kwExtraInfo }

// AddRouters makes router descriptors known. Those that are malformed are left out.
func (in *Inspector) AddRouters(data []byte) {
	for e := range doclist.Split(data, kwRouter) {
		if r, err := routerdesc.Parse(e.Text); err == nil {
			in.addRouter(r)
		}
	}
}

func (in *Inspector) addRouter(r *routerdesc.Descriptor) {
	if r.ExtraInfo == [20]byte{} {
		return
	}
	if in.routers == nil {
		in.routers = map[[20]byte]*routerdesc.Descriptor{}
	}
	in.routers[r.ExtraInfo] = r
}
