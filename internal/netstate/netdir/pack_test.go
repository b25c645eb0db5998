package netdir

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

func FuzzPack(f *testing.F) {
	f.Add("$0123456789ABCDEF0123456789ABCDEF01234567 $FFFF456789ABCDEF0123456789ABCDEF01234567=x anna", "ed25519:b ed25519:a")
	f.Add("Anna berta anna", "a a")
	f.Fuzz(func(t *testing.T, family, ids string) {
		packed := pack(family)
		if len(packed)%memberLen != 0 {
			t.Fatalf("%d bytes", len(packed))
		}
		for i := memberLen; i < len(packed); i += memberLen {
			if packed[i-memberLen:i] >= packed[i:i+memberLen] {
				t.Fatalf("not sorted: %q", packed)
			}
		}
		for m := range microdesc.Members(family) {
			r := Relay{RSA: m.RSA, Nickname: m.Nickname}
			if !contains(packed, packMember(m)) || !(&Relay{family: packed}).lists(&r) {
				t.Fatalf("%+v is not in %q", m, packed)
			}
		}
		words := sortWords(ids)
		if sortWords(words) != words || words != "" && words[0] != ' ' && !shareWord(words, words) {
			t.Fatalf("%q", words)
		}
	})
}
