package keyfile

import (
	"bytes"
	"testing"
)

// fuzz parses, appends, and parses again: what was appended must stay as it is.
func fuzz(f *testing.F, c codec, seeds ...string) {
	for _, name := range seeds {
		f.Add(ctorFile(f, name))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := c(bytes.Clone(b))
		if err != nil {
			return
		}
		again, err := c(bytes.Clone(out))
		if err != nil || !bytes.Equal(again, out) {
			t.Errorf("%x became %x, and then %x, %v", b, out, again, err)
		}
	})
}

func FuzzParseTagged(f *testing.F)   { fuzz(f, tagged, "ed25519_signing_cert", "boxed_secret_key") }
func FuzzParseEdSecret(f *testing.F) { fuzz(f, edSecret(TagMaster), "ed25519_master_id_secret_key") }
func FuzzParseEdPublic(f *testing.F) { fuzz(f, edPublic, "ed25519_master_id_public_key") }
func FuzzParseEdCert(f *testing.F)   { fuzz(f, edCert, "ed25519_signing_cert") }
func FuzzParseOnion(f *testing.F)    { fuzz(f, onion, "secret_onion_key_ntor") }
func FuzzParseRSA(f *testing.F)      { fuzz(f, rsaSecret, "secret_id_key", "secret_onion_key") }
func FuzzParseBox(f *testing.F)      { fuzz(f, box, "boxed_secret_key") }
func FuzzParseFingerprint(f *testing.F) {
	fuzz(f, fingerprint, "fingerprint")
}
func FuzzParseEdFingerprint(f *testing.F) {
	fuzz(f, edFingerprint, "fingerprint-ed25519")
}
func FuzzParseFamilyID(f *testing.F) { fuzz(f, familyID, "one.public_family_id") }
