// Package netdoc reads and writes the line format that all directory documents share: items of a keyword line and an
// optional base64 object.
//
// A [Scanner] walks over a document without copying or allocating; a [Schema] says which items a kind of document may
// have, how often and where; the Parse functions turn arguments into values. An [Encoder] writes documents.
//
//	s := netdoc.NewScanner(doc, netdoc.Options{})
//	check := schema.NewChecker()
//	for s.Next() {
//		it := s.Item()
//		rule, err := check.Item(it)
//		if err != nil {
//			return err
//		}
//		switch rule {
//		case itemPublished:
//			published, err = it.Time()
//		}
//		if err != nil {
//			return it.Wrap(err)
//		}
//	}
//	if err := s.Err(); err != nil {
//		return err
//	}
//	return check.End()
//
// https://spec.torproject.org/dir-spec/netdoc.html
package netdoc
