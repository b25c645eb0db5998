package admit

// Outcome is what becomes of a document, from the best to the worst. The answer to an upload is about the worst.
// C tor: was_router_added_t.
type Outcome uint8

// The outcomes.
const (
	Added        Outcome = iota
	BadExtraInfo         // an extra-info document that belongs to no descriptor that we have
	Known                // nothing new, or out of date
	Rejected
	Expired // its certificates are
	Busy    // not looked at
)

func (o Outcome) String() string {
	return [...]string{"added", "bad extra-info", "known", "rejected", "expired", "busy"}[o]
}

// What relays are told, word for word as C tor does: operators look for these texts.
const (
	msgNone          = "[None]" // of what was added, and of what is no document at all
	msgNoMessage     = "(no message)"
	msgNotUTF8       = "descriptor(s) or extrainfo(s) not valid UTF-8 or had BOM."
	msgTooLarge      = "Router descriptor was too large."
	msgNoTAP         = "Missing TAP key in descriptor."
	msgCosmetic      = "Not replacing router descriptor; no information has changed since the last one with this identity."
	msgKeysMoved     = "Looks like your keypair has changed? This authority previously recorded a different RSA identity for this Ed25519 identity (or vice versa.) Did you replace or copy some of your key files, but not the others? You should either restore the expected keypair, or delete your keys and restart Tor to start your relay with a new identity."
	msgKeysChanged   = "Ed25519 identity key or RSA identity key has changed."
	msgCertsExpired  = "Some certs on this router are expired."
	msgNotNew        = "Router descriptor was not new."
	msgPlatform      = "Malformed platform string."
	msgVersion       = "Tor version is insecure or unsupported. Please upgrade!"
	msgListed        = "Fingerprint and/or ed25519 identity is marked rejected -- if you think this is a mistake please set a valid email address in ContactInfo and send an email to bad-relays@lists.torproject.org mentioning your fingerprint(s)?"
	msgAddress       = "Suspicious relay address range -- if you think this is a mistake please set a valid email address in ContactInfo and send an email to bad-relays@lists.torproject.org mentioning your address(es) and fingerprint(s)?"
	msgFuture        = "Rejected: Your clock is set too far in the future, or your timezone is not correct."
	msgPast          = "Rejected: Server is expired, or your clock is too far in the past, or your timezone is not correct."
	msgPrivate       = "Rejected: Address is a private address."
	msgValid         = "Valid server updated"
	msgInvalid       = "Invalid server updated. (This dirserver is marking your server as unapproved.)"
	msgAccepted      = "Descriptor accepted"
	msgNoDescriptor  = "No corresponding router descriptor for extra-info descriptor"
	msgExtraTooLarge = "Extrainfo document was too large"
	msgExtraCert     = "Extrainfo signing key cert didn't match routerinfo"
	msgExtraTime     = "Extrainfo published time did not match routerdesc"
	msgExtraDigests  = "Neither digest256 or digest matched digest from routerdesc"
	msgExtraDigest   = "Extrainfo digest did not match value from routerdesc"
	msgExtraSHA256   = "Extrainfo digest did not match digest256 from routerdesc"

	// What C tor never says.
	msgTooLong = "Upload is too large" // as package dircache has it
	msgTooMany = "Too many documents in one upload."
	msgBusy    = "Too many uploads. Try again later."
	msgFull    = "This authority knows too many relays. Try again later."
)
