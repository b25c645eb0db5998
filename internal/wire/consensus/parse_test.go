package consensus_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// Each case breaks one rule by a replacement in a good document.
//
// https://spec.torproject.org/dir-spec/consensus-formats.html
func TestParseRefuses(t *testing.T) {
	const relay = "r test002a JX0G8DYLsiRjiHJPEJ7AiVodQfs 2038-01-01 00:00:00 127.0.0.1 5102 7102\n"
	tests := []struct {
		name, old, new string
		want           error
	}{
		{"other version", "version 3", "version 4", consensus.ErrNoConsensus},
		{"other flavor", "version 3 microdesc", "version 3 nanodesc", consensus.ErrFlavor},
		{"vote", "vote-status consensus", "vote-status vote", consensus.ErrNoConsensus},
		{"something before", "network-status-version", "x\nnetwork-status-version", netdoc.ErrMisplaced},
		{"method no number", "consensus-method 35", "consensus-method x", netdoc.ErrBadValue},
		{"time missing", "fresh-until", "x-until", netdoc.ErrMissing},
		{"time twice", "vote-status", "valid-after 2000-01-01 00:02:20\nvote-status", netdoc.ErrTooMany},
		{"malformed time", "valid-after 2000-01-01", "valid-after 2000-1-01", netdoc.ErrBadValue},
		{"fresh before valid", "00:02:40", "00:02:20", consensus.ErrTimes},
		{"no longer valid than fresh", "00:03:00", "00:02:40", consensus.ErrTimes},
		{"voting delay", "voting-delay 4 4", "voting-delay 4 -4", netdoc.ErrBadValue},
		{"flags not in order", "Authority Exit Fast", "Exit Authority Fast", consensus.ErrOrder},
		{"flag twice", "known-flags Authority Exit", "known-flags Authority Authority Exit", consensus.ErrOrder},
		{"too many flags", "known-flags", "known-flags " + manyFlags(), netdoc.ErrTooMany},
		{"required protocols", "required-client-protocols Cons=2", "required-client-protocols Cons=64", protover.ErrSyntax},
		{"parameters not in order", "params AuthDirMaxServersPerAddr=0 cc_alg=2", "params cc_alg=2 AuthDirMaxServersPerAddr=0", params.ErrOrder},
		{"parameter twice", "params ", "params AuthDirMaxServersPerAddr=0 ", params.ErrTwice},
		{"shared random value", "params ", "shared-rand-current-value 3 AAAA\nparams ", netdoc.ErrBadValue},
		{"no source", "\ndir-source", "\nx-source", netdoc.ErrMisplaced},
		{"contact before the sources", "params", "contact x\nparams", netdoc.ErrMisplaced},
		{"contact twice", "contact auth1", "contact x\ncontact auth1", netdoc.ErrTooMany},
		{"vote digest twice", "vote-digest 0F969E10E0DDCD0602509D30AB80792F076E73F6\n",
			strings.Repeat("vote-digest 0F969E10E0DDCD0602509D30AB80792F076E73F6\n", 2), netdoc.ErrTooMany},
		{"identity of a source", "dir-source test001a 0B89", "dir-source test001a 0X89", netdoc.ErrBadValue},
		{"port of a source", "7101 5101", "7101 65536", netdoc.ErrBadValue},
		{"object in the header", "vote-status consensus\n", "vote-status consensus\n-----BEGIN A-----\n-----END A-----\n", netdoc.ErrMisplaced},

		{"nickname", "r test002a", "r test_002a", netdoc.ErrBadValue},
		{"long nickname", "r test002a", "r test002a012345678901", netdoc.ErrBadValue},
		{"short identity", "JX0G8DYLsiRjiHJPEJ7AiVodQfs", "JX0G8DYLsiRjiHJPEJ7AiVodQf", netdoc.ErrBadValue},
		{"relay twice", relay, relay + "s Fast\npr\n" + relay, consensus.ErrOrder},
		{"relays not in order", relay, "r a zzzG8DYLsiRjiHJPEJ7AiVodQfs 2038-01-01 00:00:00 127.0.0.1 5102 7102\ns\npr\n" + relay, consensus.ErrOrder},
		{"time of a relay", "2038-01-01 00:00:00 127.0.0.1 5102", "2038-01-32 00:00:00 127.0.0.1 5102", netdoc.ErrBadValue},
		{"address", "127.0.0.1 5102 7102\nm", "127.0.0.256 5102 7102\nm", netdoc.ErrBadValue},
		{"ORPort", "5102 7102\nm", "70000 7102\nm", netdoc.ErrBadValue},
		{"DirPort missing", "5102 7102\nm", "5102\nm", netdoc.ErrMissing},
		{"microdescriptor digest", "m vLfl33Og", "m vLfl33O*", netdoc.ErrBadValue},
		{"no flags", "s Authority Exit Fast Guard HSDir Running Stable V2Dir Valid\n", "", netdoc.ErrMissing},
		{"flags twice", "s Exit", "s Fast\ns Exit", netdoc.ErrTooMany},
		{"object after flags", "s Exit Fast Guard HSDir Running V2Dir Valid\n",
			"s Exit\n-----BEGIN A-----\n-----END A-----\n", netdoc.ErrMisplaced},
		{"no protocols", "pr Conflux=1", "x Conflux=1", netdoc.ErrMissing},
		{"malformed protocols", "pr Conflux=1", "pr Conflux=", nil},
		{"protocol range", "pr Conflux=1", "pr Conflux=2-1", protover.ErrSyntax},
		{"version twice", "v Tor", "v x\nv Tor", netdoc.ErrTooMany},
		{"weight no number", "w Bandwidth=208", "w Bandwidth=x", netdoc.ErrBadValue},
		{"weight too large", "w Bandwidth=208", "w Bandwidth=4294967296", netdoc.ErrBadValue},
		{"guard fraction", "w Bandwidth=208", "w Bandwidth=208 GuardFraction=101", netdoc.ErrBadValue},
		{"policy", "w Bandwidth=208", "p permit 80\nw Bandwidth=208", netdoc.ErrBadValue},

		{"relay in the footer", "directory-footer\n", "directory-footer\n" + relay, netdoc.ErrMisplaced},
		{"footer later", "directory-footer\n", "directory-footer\nx\ndirectory-footer\n", netdoc.ErrMisplaced},
		{"weights twice", "bandwidth-weights", "bandwidth-weights a=1\nbandwidth-weights", netdoc.ErrTooMany},
		{"weights", "Wbd=3333", "Wbd=x", params.ErrSyntax},
		{"text after a signature", "-----END SIGNATURE-----\n", "-----END SIGNATURE-----\nx\n", netdoc.ErrMisplaced},
		{"no signature", "\ndirectory-signature", "\nx-signature", consensus.ErrUnsigned},
		{"no signature that we understand", "signature sha256", "signature sha3-256", consensus.ErrUnsigned},
		{"signature after a tab", "directory-signature sha256", "directory-signature\tsha256", netdoc.ErrBadValue},
		{"signature of a stranger", "directory-signature sha256 0B89", "directory-signature sha256 1B89", consensus.ErrSigner},
		{"signing key", "directory-signature sha256 0B8997614EC647C1C6B6A044E2B5408F0B823FB0 0AB4",
			"directory-signature sha256 0B8997614EC647C1C6B6A044E2B5408F0B823FB0 AB4", netdoc.ErrBadValue},
		{"tag of a signature", "SIGNATURE-----", "MESSAGE-----", netdoc.ErrBadObject},
		{"cut in an object", "=\n-----END SIGNATURE-----\n", "", netdoc.ErrBadObject},
	}
	good := readFile(t, "microdesc.txt")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := 1
			switch tt.name {
			case "no source", "no protocols", "no signature", "no signature that we understand", "tag of a signature":
				n = -1
			}
			doc := bytes.Replace(good, []byte(tt.old), []byte(tt.new), n)
			if bytes.Equal(doc, good) {
				t.Fatal("nothing replaced")
			}
			if _, err := consensus.Parse(doc); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func manyFlags() string {
	var s strings.Builder
	for i := range 1025 {
		fmt.Fprintf(&s, "A%04d ", i)
	}
	return s.String()
}

func TestParseRefusesSizes(t *testing.T) {
	good := readFile(t, "microdesc.txt")
	for _, n := range []int{0, 1, 500, len(good) - 1} {
		if _, err := consensus.Parse(good[:n]); err == nil {
			t.Errorf("accepted %d bytes of it", n)
		}
	}
	if _, err := consensus.Parse(make([]byte, consensus.MaxLen+1)); !errors.Is(err, netdoc.ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
	source := []byte("dir-source x 0B8997614EC647C1C6B6A044E2B5408F0B823FB0 h 1.2.3.4 1 2\n")
	many := bytes.Replace(good, []byte("dir-source"), append(bytes.Repeat(source, 256), "dir-source"...), 1)
	if _, err := consensus.Parse(many); !errors.Is(err, netdoc.ErrTooMany) {
		t.Errorf("many sources: %v", err)
	}
	i := bytes.Index(good, []byte("directory-signature"))
	j := i + bytes.Index(good[i:], []byte("-----END SIGNATURE-----\n")) + len("-----END SIGNATURE-----\n")
	if _, err := consensus.Parse(append(bytes.Clone(good), bytes.Repeat(good[i:j], 1100)...)); !errors.Is(err, netdoc.ErrTooMany) {
		t.Errorf("many signatures: %v", err)
	}
}

// Only the first signature of an authority with an algorithm counts, and unknown algorithms are skipped.
func TestParseSignatures(t *testing.T) {
	good := readFile(t, "microdesc.txt")
	i := bytes.Index(good, []byte("directory-signature"))
	sigs := good[i:]
	doc := append(bytes.Clone(good), bytes.Replace(sigs, []byte("sha256"), []byte("sha512"), 1)...)
	doc = append(doc, bytes.ReplaceAll(sigs, []byte("sha256 "), nil)...)
	c := parse(t, doc)
	if len(c.Signatures) != 8 {
		t.Fatalf("%d signatures, want 4 of each algorithm", len(c.Signatures))
	}
	for i, s := range c.Signatures {
		if want := consensus.Algorithm(1 - i/4); s.Algorithm != want {
			t.Errorf("signature %d: %v, want %v", i, s.Algorithm, want)
		}
	}
	if c.Digests.SHA256 != parse(t, good).Digests.SHA256 {
		t.Error("later signatures change the digest")
	}
}

// Lines that a later version may add are ignored.
func TestParseUnknownItems(t *testing.T) {
	good := readFile(t, "microdesc.txt")
	doc := good
	for _, at := range []string{"known-flags", "dir-source", "m ", "s ", "bandwidth-weights"} {
		doc = bytes.Replace(doc, []byte("\n"+at), []byte("\nx-new a b\n-----BEGIN A-----\n-----END A-----\n"+at), 1)
	}
	doc = bytes.Replace(doc, []byte("\ns Authority"), []byte("\ns Authority Unheard"), 1)
	got := parse(t, doc)
	want, err := parse(t, good).AppendBody(nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := got.AppendBody(nil); err != nil || !bytes.Equal(body, want) {
		t.Errorf("unknown items changed something: %v\n%s", err, body)
	}
}

// The first IPv6 address counts; an address that nobody can dial is none.
func TestAddresses(t *testing.T) {
	good := readFile(t, "microdesc.txt")
	doc := bytes.Replace(good, []byte("127.0.0.1 5102 7102\nm"), []byte("0.0.0.0 5102 7102\na 1.2.3.4:5\na x\na [2001:db8::1]:7\na [2001:db8::2]:8\nm"), 1)
	r := &parse(t, doc).Relays[0]
	if r.IPv4().IsValid() || r.IPv6().String() != "[2001:db8::1]:7" {
		t.Errorf("addresses %v, %v", r.IPv4(), r.IPv6())
	}
}

func FuzzParse(f *testing.F) {
	f.Add(readFile(f, "microdesc.txt"))
	f.Add(readFile(f, "ns.txt"))
	f.Add(consensustest.New(consensustest.Options{Relays: 2, Flavor: consensus.NS}).Doc)
	f.Fuzz(func(t *testing.T, doc []byte) {
		c, err := consensus.Parse(doc)
		if err != nil {
			return
		}
		out, err := c.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := consensus.Parse(out)
		if err != nil {
			t.Fatalf("%v in what we wrote:\n%s", err, out)
		}
		if out2, err := again.AppendTo(nil); err != nil || !bytes.Equal(out, out2) {
			t.Fatalf("%v\n%s\nthen\n%s", err, out, out2)
		}
	})
}
