// Package authkeys loads the keys of a directory authority from C tor's files, and says when its certificate must be replaced.
//
//	keys/authority_identity_key ── ten years, kept offline ──► authority_certificate
//	keys/authority_signing_key ─── some months ──────────────► votes, consensuses
//	keys/authority_certificate ─── public: says that the signing key is the authority's
//	keys/legacy_signing_key, keys/legacy_certificate ──── the same of an identity that is given up (V3AuthUseLegacyKey)
//
// [Load] makes a [Keyring]; everyone takes a [Snapshot] from [Keyring.Current]. At SIGHUP the owner calls [Keyring.Reload], and
// each [CheckInterval] [Keyring.Check], which warns in C tor's words and as often. Files are made by "tropea gencert", and never
// written here.
//
// https://spec.torproject.org/dir-spec/creating-key-certificates.html
package authkeys
