package authcert

import (
	"crypto/rsa"
	"crypto/sha1"
	"fmt"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// Make makes a certificate, with the items in the order of C tor's tor-gencert. dirPort may be invalid, which leaves it
// out.
func Make(identity, signing *rsa.PrivateKey, published, expires time.Time, dirPort netip.AddrPort) ([]byte, error) {
	fingerprint := rsakey.Fingerprint(&identity.PublicKey)
	crosscert, err := rsakey.SignRaw(signing, fingerprint[:])
	if err != nil {
		return nil, fmt.Errorf("dir-key-crosscert: %w", err)
	}
	e := netdoc.NewEncoder(nil)
	e.Item(kwVersion, "3")
	if dirPort.IsValid() {
		e.Item("dir-address", dirPort.String())
	}
	e.Item("fingerprint").Hex(fingerprint[:])
	e.Item("dir-key-published").Time(published)
	e.Item("dir-key-expires").Time(expires)
	e.Item("dir-identity-key").Object(rsakey.Tag, rsakey.AppendDER(nil, &identity.PublicKey))
	e.Item("dir-signing-key").Object(rsakey.Tag, rsakey.AppendDER(nil, &signing.PublicKey))
	e.Item("dir-key-crosscert").Object("ID SIGNATURE", crosscert)
	e.Item(kwCertification)
	signed, err := e.Bytes()
	if err != nil {
		return nil, fmt.Errorf("authority certificate: %w", err)
	}
	digest := sha1.Sum(signed)
	signature, err := rsakey.SignRaw(identity, digest[:])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kwCertification, err)
	}
	e.Object("SIGNATURE", signature)
	return e.Bytes()
}
