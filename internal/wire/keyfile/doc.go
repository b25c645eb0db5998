// Package keyfile reads and writes the files in which C tor keeps keys, so that one can switch to C tor and back.
//
// There are five kinds. Tagged files have a header of 32 bytes, which tells what is in them, and then binary data: Ed25519
// keys and certificates, onion keys, family keys, and the box around an encrypted master key. RSA keys are PEM blocks; that
// of an authority's identity is encrypted in the way of PKCS #8. A fingerprint file is a line with a nickname, and the public
// file of a family key a line without one. The files of onion services' clients are fields with colons between them.
//
//	file                                parser            tag
//	keys/ed25519_master_id_secret_key   ParseEdSecret     TagMaster
//	keys/ed25519_master_id_public_key   ParseEdPublic     TagMaster
//	keys/…_secret_key_encrypted         ParseBox
//	keys/ed25519_signing_secret_key     ParseEdSecret     TagSigning
//	keys/ed25519_signing_cert           ParseEdCert       TagSigning
//	keys/secret_onion_key_ntor          ParseOnion
//	keys/secret_id_key                  ParseRSA
//	keys/secret_onion_key               ParseRSA
//	keys/authority_identity_key         ParseLocked
//	keys/authority_signing_key          ParseRSA
//	<name>.secret_family_key            ParseEdSecret     TagFamily
//	<name>.public_family_id             ParseFamilyID
//	fingerprint, hashed-fingerprint     ParseFingerprint
//	fingerprint-ed25519                 ParseEdFingerprint
//	hs_ed25519_secret_key               ParseEdSecret     TagMaster
//	hs_ed25519_public_key               ParseEdPublic     TagMaster
//	hostname                            ParseHostname
//	authorized_clients/<name>.auth      ParseAuthorizedClient
//	<name>.auth_private                 ParseClientAuth
//
// Secrets have types of their own, which print their public part alone, whatever the verb. No error quotes a file.
package keyfile

import "errors"

// Errors of this package. All parsers wrap one of them, or one of packages rsakey and torcert.
var (
	ErrFormat      = errors.New("malformed key file")
	ErrLength      = errors.New("key file of the wrong length")
	ErrType        = errors.New("key file of another type")
	ErrTag         = errors.New("key file with another tag")
	ErrKey         = errors.New("not a valid key")
	ErrMismatch    = errors.New("public key does not belong to the secret key")
	ErrEncrypted   = errors.New("key is encrypted")
	ErrPassphrase  = errors.New("wrong passphrase")
	ErrUnsupported = errors.New("unsupported encryption of a key")
	ErrWiped       = errors.New("secret key has been wiped")
)
