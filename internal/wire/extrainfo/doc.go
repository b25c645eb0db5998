// Package extrainfo reads and writes extra-info documents, in which relays publish statistics that clients do not need. What the
// statistics say is not looked at: directory caches keep the documents as they are, for those who do research with them.
//
// https://spec.torproject.org/dir-spec/extra-info-document-format.html
package extrainfo
