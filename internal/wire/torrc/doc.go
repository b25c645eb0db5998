// Package torrc reads and writes the language of Tor's configuration file.
//
// A file is a list of lines, "Option value". [Parse] turns it into [Line] values: it takes off comments, joins
// continued lines, undoes quotes and follows %include. [ParseArg] does the same for a command line. What an option
// means is the caller's business; for the value types that options share there is a parser each ([MemUnit],
// [Interval], [Bool], [ParseListen], [ParseNodeSet], ...). [Line.AppendTo] writes a line that Parse reads back.
//
// The grammar is C tor's (doc/torrc_format.txt and its confline.c), with these differences, all of them on input
// that C tor reads in a way nobody means:
//
//   - A comment behind the text of a continued line makes C tor swallow the line after it. Here that is an error.
//   - A quoted value may end in CR LF, and a byte order mark at the start of a file is skipped.
//   - A NUL byte is an error instead of the end of the file.
//   - Blanks around a value never belong to it.
package torrc
