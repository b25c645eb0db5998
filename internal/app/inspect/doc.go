// Package inspect recognises directory documents, checks them, and shows what is in them: to people as aligned text, to programs
// as JSON.
//
// An [Inspector] knows the time and what documents refer to: certificates of authorities, and router descriptors for
// extra-info documents. [Inspector.Documents] splits and reads a file; [Compare] tells how two consensuses or votes differ.
//
// What is checked is whether documents are sound: their form, their signatures, numbers that follow from others. That one has
// expired is told, and is no fault.
//
// https://spec.torproject.org/dir-spec/
package inspect
