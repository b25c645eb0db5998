// Package voteoracle knows which consensus C tor makes of votes.
//
// A [Scenario] has the votes of some authorities, C tor among them, and the two consensuses that C tor 0.4.9.11 computed
// of exactly these. A tally is right if it makes the same bytes of the same votes:
//
//	voteoracle.Each(t, func(t *testing.T, s *voteoracle.Scenario) {
//		// parse s.Votes; tally them, with s.Authorities configured and s.FreshSRV; compare with s.NS and s.Microdesc
//	})
//
// The consensuses have no signatures in them; C tor's are in s.Signatures, made with the signing key of authority s.Self.
// [Authorities] has all secret keys.
//
// # Files
//
// A file testdata/NAME.txtar.zst is a txtar archive in zstd, which zstd -dc shows. Its comment is JSON, the exported
// fields of Scenario. Its files are, in this order:
//
//	vote N                one for each vote, by authority N
//	consensus-ns          up to the first directory-signature, as C tor wrote it
//	consensus-microdesc   the same
//	signatures            the detached signatures that C tor told of
//	notes                 what C tor logged about the tally, such as which case of the bandwidth weights it is
//
// In a vote the line "@certificate N" stands for the certificate of authority N, which [Read] puts back; signatures are
// over the text with the certificate. The file testdata/keys.pem has the keys: an identity key and a signing key of each
// authority, and C tor's identity as a relay. Certificates follow from the keys.
//
// # Votes
//
// A [Plan] makes the votes: it has a name, from which all choices follow, and says how much voters disagree about what.
// [Plans] are the recorded ones. The text of votes is written here without the help of other packages, so that a
// misunderstanding of the format shows. C tor has accepted each of the votes. Where C tor's result would depend on how it
// sorts equals, such as two spellings of a version, the votes leave it no choice. In one of four scenarios C tor's own vote
// counts, which knows no relay but itself; in the others it gets one in its name that is younger than its own.
//
// # Recording again
//
// After a change of plans, or for a newer C tor:
//
//	go run ./internal/kit/voteoracle/record
//
// It runs several C tors on loopback as authorities, posts the votes to their directory ports, and writes all files,
// which takes about four minutes, most of it waiting. Given names, it records only these scenarios. A plan that is
// renamed or removed leaves its file behind: delete it. C tor makes a shared random value at the end of a run of that
// protocol, for which the scenarios with FreshSRV have to wait, up to four minutes.
//
// If C tor refuses a vote, the recorder says so, and the plan or the generator is wrong.
package voteoracle
