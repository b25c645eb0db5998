package ctor

import (
	"bufio"
	"net/textproto"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseInfo(text, key string) ([]string, error) {
	reply, err := readReply(textproto.NewReader(bufio.NewReader(strings.NewReader(text))))
	if err != nil {
		return nil, err
	}
	return infoValue(reply, key)
}

// https://spec.torproject.org/control-spec/message-format.html
func TestGetInfoReply(t *testing.T) {
	for _, tt := range []struct {
		name, reply string
		want        []string
		bad         bool
	}{
		{"one line", "250-k=v\r\n250 OK\r\n", []string{"v"}, false},
		{"empty", "250-k=\r\n250 OK\r\n", []string{}, false},
		{"data block", "250+k=\r\na\r\n..b\r\n.\r\n250 OK\r\n", []string{"a", ".b"}, false},
		{"no OK", "250 k=v\r\n", nil, true},
		{"another key", "250-x=v\r\n250 OK\r\n", nil, true},
		{"refused", "552 Unrecognized key\r\n", nil, true},
		{"short line", "250\r\n", nil, true},
		{"torn line", "250-k=v", nil, true},
		{"torn block", "250+k=\r\na\r\n", nil, true},
		{"nothing", "", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseInfo(tt.reply, "k")
			if (err != nil) != tt.bad || cmp.Diff(got, tt.want) != "" {
				t.Errorf("got %q, %v; want %q, an error: %v", got, err, tt.want, tt.bad)
			}
		})
	}
}

func FuzzGetInfoReply(f *testing.F) {
	f.Add("250-k=v\r\n250 OK\r\n")
	f.Add("250+k=\r\na\r\n..b\r\n.\r\n250 OK\r\n")
	f.Fuzz(func(t *testing.T, text string) { parseInfo(text, "k") })
}
