package extrainfo

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// MaxUpload is how long a document may be that a relay sends to authorities, in bytes.
const MaxUpload = 50000

// maxSignature is what of MaxUpload is kept free for the RSA signature, as in C tor.
const maxSignature = 256

// Keys are the private keys of a relay that sign its extra-info document: the same that sign its router descriptor.
type Keys struct {
	Identity    *rsa.PrivateKey
	Signing     crypto.Signer // Ed25519 signing key
	SigningCert *torcert.Cert // by which the Ed25519 identity certifies it
}

// Make writes and signs the document of a relay, with the items in the order of C tor (extrainfo_dump_to_string). Each of the
// parts is whole lines. Should the document get too long for authorities, the last parts are left out.
//
// https://spec.torproject.org/dir-spec/extra-info-document-format.html
func Make(nickname string, published time.Time, k *Keys, parts [][]byte) (*Document, error) {
	e := netdoc.NewEncoder(nil)
	fp := rsakey.Fingerprint(&k.Identity.PublicKey)
	e.Item(kwExtraInfo, nickname).Hex(fp[:])
	e.Item("identity-ed25519").Object(tagCert, k.SigningCert.Bytes())
	e.Item("published").Time(published)
	head, err := e.Bytes()
	if err != nil {
		return nil, fmt.Errorf("extra-info document: %w", err)
	}
	size := len(head) + len(kwEdSig) + 1 + base64.RawStdEncoding.EncodedLen(len(parser{}.edSig)) + 1 + len(kwRSASig) + 1 + maxSignature
	text := slices.Clone(head)
	for _, p := range parts {
		if size += len(p); size > MaxUpload {
			break
		}
		text = append(text, p...)
	}
	if text, err = k.sign(text); err != nil {
		return nil, fmt.Errorf("extra-info document: %w", err)
	}
	return Parse(text)
}

func (k *Keys) sign(text []byte) ([]byte, error) {
	text = append(text, kwEdSig+" "...)
	digest := edDigest(text)
	ed, err := k.Signing.Sign(nil, digest[:], crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	text = append(base64.RawStdEncoding.AppendEncode(text, ed), '\n')
	sum := sha1.Sum(append(slices.Clip(text), kwRSASig+"\n"...))
	sig, err := rsakey.SignRaw(k.Identity, sum[:])
	if err != nil {
		return nil, err
	}
	e := netdoc.NewEncoder(text)
	e.Item(kwRSASig).Object(tagSignature, sig)
	return e.Bytes()
}
