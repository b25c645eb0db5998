package torrc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/wire/torrc"
)

func show(lines []torrc.Line) string {
	var b []byte
	for _, l := range lines {
		b = l.AppendTo(b)
	}
	return string(b)
}

// The wanted values are what C tor 0.4.9.11 prints for these files with --dump-config.
func TestParse(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"comments and blanks", "# a\n\n \t# b\n", ""},
		{"no newline at the end", "Nickname a", "Nickname a\n"},
		{"comment behind", "ContactInfo foo # bar\n", "ContactInfo foo\n"},
		{"comment without a blank", "ContactInfo foo#bar\nNickname#x\n", "ContactInfo foo\nNickname\n"},
		{"no value", "SocksPort\nNickname a\n", "SocksPort\nNickname a\n"},
		{"blanks around", " \t Nickname \t a b \t\n", "Nickname a b\n"},
		{"continued", "ContactInfo a \\\n b\\\nc\nNickname n\n", "ContactInfo a  bc\nNickname n\n"},
		{"continued before the value", "ContactInfo\\\n a\n", "ContactInfo a\n"},
		{"comment line inside", "ContactInfo \\\n  value\\\n# comment \\\n  more\nSocksPort 9050\n", "ContactInfo value  more\nSocksPort 9050\n"},
		{"comment behind the last part", "ContactInfo a \\\n b # comment\n\nSocksPort 1\n", "ContactInfo a  b\nSocksPort 1\n"},
		{"comment behind the last part at the end", "ContactInfo a \\\n b # comment", "ContactInfo a  b\n"},
		{"backslash in a comment", "ContactInfo a # x \\\nSocksPort 7\n", "ContactInfo a\nSocksPort 7\n"},
		{"backslash inside", "ContactInfo a \"b\" \\ c", "ContactInfo a \"b\" \\ c\n"},
		{"backslash at the end of the file", `DataDirectory C:\tor\`, `DataDirectory "C:\\tor\\"` + "\n"},
		{"quoted", `ContactInfo "quoted \x41 \101 \t \" x" # c` + "\n", `ContactInfo "quoted A A \t \" x"` + "\n"},
		{"quoted with CRLF", "ContactInfo \"a\"\r\nSocksPort 0\r\n", "ContactInfo a\nSocksPort 0\n"},
		{"hash inside quotes", `ContactInfo "a # b"`, `ContactInfo "a # b"` + "\n"},
		{"UTF-8", "ContactInfo ä", `ContactInfo "\303\244"` + "\n"},
		{"append and clear", "+SocksPort 1\n/ContactInfo gone\n", "+SocksPort 1\n/ContactInfo\n"},
		{"byte order mark", "\ufeffNickname a\n", "Nickname a\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines, err := torrc.Parse("torrc", tt.in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, show(lines)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseBad(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		err            error
	}{
		{"open quote", "A 1\nContactInfo \"a\nB 2\n", "torrc:2: ContactInfo: bad quoted value", torrc.ErrQuote},
		{"text behind a quote", `ContactInfo "a" b`, "torrc:1: ContactInfo", torrc.ErrQuote},
		{"bad escape", `ContactInfo "\q"`, "torrc:1: ContactInfo", torrc.ErrQuote},
		{"short hexadecimal escape", `ContactInfo "\x4"`, "torrc:1: ContactInfo", torrc.ErrQuote},
		{"escape of a zero byte", `ContactInfo "\0"`, "torrc:1: ContactInfo", torrc.ErrQuote},
		{"escape too large", `ContactInfo "\777"`, "torrc:1: ContactInfo", torrc.ErrQuote},
		{"zero byte", "A 1\n\x00", "torrc:2", torrc.ErrNUL},
		{"comment swallows a line", "A 1\nExitPolicy a, \\\n b # c\nUseBridges 1\n", "torrc:2: ExitPolicy", torrc.ErrComment},
		{"no name", "\\\nA 1", "torrc:1: no option name", torrc.ErrName},
		{"no name behind +", "+ 1", "torrc:1: no option name", torrc.ErrName},
		{"include without files", "%include /etc", "torrc:1: %include: no file", nil},
		{"too large", "A " + strings.Repeat("x", torrc.MaxBytes), "torrc:1: the configuration is larger", torrc.ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines, err := torrc.Parse("torrc", tt.in, nil)
			if err == nil {
				t.Fatalf("got %v, want an error", lines)
			}
			if !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %q, want prefix %q", err, tt.want)
			}
			if tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
			if !errors.As(err, new(*torrc.Error)) {
				t.Errorf("got %T, want *torrc.Error", err)
			}
		})
	}
}

func TestInclude(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	fsys := fstest.MapFS{
		"one":          file("B 2\n%include d/*.conf"),
		"d/z.conf":     file("Z 1"),
		"d/a.conf":     file("\nA 1"),
		"d/.hid.conf":  file("HIDDEN 1"),
		"d/README":     file("README 1"),
		"dir/20":       file("Second 1"),
		"dir/10":       file("First 1"),
		"dir/.swp":     file("HIDDEN 1"),
		"dir/sub/deep": file("DEEP 1"),
		"loop":         file("%include loop"),
		"bad":          file("A 1\nB \"x"),
		"nested-bad":   file("%include bad"),
	}
	for i := range torrc.MaxFiles {
		fsys[fmt.Sprintf("many/%d", i)] = file("")
	}
	t.Run("files", func(t *testing.T) {
		lines, err := torrc.Parse("torrc", "A 1\n%include one\n%include dir\n%include none*\nE 5", fsys)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lines {
			got = append(got, l.Pos()+" "+l.Key)
		}
		want := []string{"torrc:1 A", "one:1 B", "d/a.conf:2 A", "d/z.conf:1 Z", "dir/10:1 First", "dir/20:1 Second", "torrc:5 E"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	for _, tt := range []struct{ name, in, want string }{
		{"missing", "A 1\n%include none", `torrc:2: %include: "none": `},
		{"itself", "%include loop", "loop:1: %include: more than 31 nested"},
		{"place of an error inside", "%include nested-bad", "bad:2: B: bad quoted value"},
		{"too many files", "%include many", "many/999:1: the configuration is larger"},
		{"bad pattern", "%include [*", `torrc:1: %include: "[*": syntax error`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := torrc.Parse("torrc", tt.in, fsys)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want prefix %q", err, tt.want)
			}
		})
	}
}

func TestParseArg(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
		rest int
	}{
		{"two dashes", []string{"--SocksPort", "9050", "x"}, "SocksPort 9050\n", 1},
		{"one dash", []string{"-SocksPort", "9050"}, "SocksPort 9050\n", 0},
		{"bare", []string{"__OwningControllerProcess", "123"}, "__OwningControllerProcess 123\n", 0},
		{"append", []string{"+__SocksPort", "127.0.0.1:9150 IPv6Traffic"}, "+__SocksPort 127.0.0.1:9150 IPv6Traffic\n", 0},
		{"append with dashes", []string{"--+Log", "info stdout"}, "+Log info stdout\n", 0},
		{"clear takes no value", []string{"--/SocksPort", "--Nickname", "n"}, "/SocksPort\n", 2},
		{"empty value", []string{"Nickname", ""}, "Nickname\n", 0},
		{"value like an option", []string{"Nickname", "--x"}, "Nickname --x\n", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			line, rest, err := torrc.ParseArg(tt.args)
			if err != nil {
				t.Fatal(err)
			}
			if got := show([]torrc.Line{line}); got != tt.want || len(rest) != tt.rest {
				t.Errorf("got %q and %d more, want %q and %d", got, len(rest), tt.want, tt.rest)
			}
		})
	}
	for _, args := range [][]string{{"--SocksPort"}, {"--"}, {"--+", "x"}, {"A", "\x00"}} {
		if line, _, err := torrc.ParseArg(args); err == nil {
			t.Errorf("%q: got %v, want an error", args, line)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("SocksPort 9050 # x\nContactInfo \"a\\x41\\n\\\"\"\n+Log info \\\n# c\n stdout\n/A\n%include /x")
	f.Add("A \\\n b # c\n\nB\r\n\ufeff \"\"")
	f.Add("A b\\")
	f.Add("0\\")
	f.Fuzz(func(t *testing.T, in string) {
		fsys := fstest.MapFS{"x": &fstest.MapFile{Data: []byte(in)}}
		first, err := torrc.Parse("torrc", in, fsys)
		if err != nil {
			return
		}
		text := show(first)
		again, err := torrc.Parse("torrc", text, nil)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := show(again); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
		if len(first) != len(again) {
			t.Errorf("%d lines became %d", len(first), len(again))
		}
	})
}
