package hskeys

import (
	"bytes"
	"crypto/ed25519"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

//go:embed testdata
var testdata embed.FS

// hexBytes is a byte string that is written in hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

func load(tb testing.TB, name string, v any) {
	tb.Helper()
	b, err := testdata.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

type blinding struct {
	Vectors []struct {
		Seed          hexBytes `json:"seed"`
		Expanded      hexBytes `json:"expanded_secret"`
		Public        hexBytes `json:"public"`
		Factor        hexBytes `json:"blinding_param"`
		BlindedSecret hexBytes `json:"blinded_secret"`
		BlindedPublic hexBytes `json:"blinded_public"`
		Signature     hexBytes `json:"self_signature"`
	} `json:"vectors"`
	HS struct {
		Public        hexBytes `json:"identity_pubkey"`
		Expanded      hexBytes `json:"identity_expanded_secret"`
		Period        uint64   `json:"time_period_num"`
		Minutes       uint64   `json:"time_period_minutes"`
		Factor        hexBytes `json:"blinding_factor_hash"`
		BlindedPublic hexBytes `json:"blinded_pubkey"`
		BlindedSecret hexBytes `json:"blinded_secret"`
		Subcredential hexBytes `json:"subcredential"`
	} `json:"hs_blinding"`
}

// https://spec.torproject.org/rend-spec/keyblinding-scheme.html
func TestBlinding(t *testing.T) {
	var b blinding
	load(t, "blinding.json", &b)
	for i, v := range b.Vectors {
		k := keyfile.EdFromSeed((*[32]byte)(v.Seed))
		if got := k.ID(); !bytes.Equal(got[:], v.Public) {
			t.Fatalf("%d: public key %x, want %x", i, got, v.Public)
		}
		if sig, err := k.Sign(nil, v.Public, nil); err != nil || !bytes.Equal(sig, v.Signature) {
			t.Errorf("%d: signature %x, error %v, want %x", i, sig, err, v.Signature)
		}
		secret, err := blindSecret(k, [32]byte(v.Factor))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := secret.Expanded(); err != nil || !bytes.Equal(got[:], v.BlindedSecret) {
			t.Errorf("%d: blinded secret %x, error %v, want %x", i, got, err, v.BlindedSecret)
		}
		if got := secret.ID(); !bytes.Equal(got[:], v.BlindedPublic) {
			t.Errorf("%d: public key of the blinded secret %x, want %x", i, got, v.BlindedPublic)
		}
		if got, err := blindPublic([32]byte(v.Public), [32]byte(v.Factor)); err != nil || !bytes.Equal(got[:], v.BlindedPublic) {
			t.Errorf("%d: blinded public key %x, error %v, want %x", i, got, err, v.BlindedPublic)
		}
		sig, err := secret.Sign(nil, []byte("message"), nil)
		if err != nil || !ed25519.Verify(ed25519.PublicKey(v.BlindedPublic), []byte("message"), sig) {
			t.Errorf("%d: the blinded key signs badly, error %v", i, err)
		}
	}

	p := Period{b.HS.Period, b.HS.Minutes}
	identity := [32]byte(b.HS.Public)
	if got := blindingFactor(identity, p); !bytes.Equal(got[:], b.HS.Factor) {
		t.Errorf("factor %x, want %x", got, b.HS.Factor)
	}
	blinded, err := BlindPublic(identity, p)
	if err != nil || !bytes.Equal(blinded[:], b.HS.BlindedPublic) {
		t.Errorf("blinded key %x, error %v, want %x", blinded, err, b.HS.BlindedPublic)
	}
	if got := Subcredential(identity, blinded); !bytes.Equal(got[:], b.HS.Subcredential) {
		t.Errorf("subcredential %x, want %x", got, b.HS.Subcredential)
	}
	k, err := keyfile.EdFromExpanded((*[64]byte)(b.HS.Expanded))
	if err != nil || k.ID() != identity {
		t.Fatal("not the identity key", err)
	}
	secret, err := BlindSecret(k, p)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := secret.Expanded(); secret.ID() != blinded || !bytes.Equal(got[:], b.HS.BlindedSecret) {
		t.Errorf("blinded secret %x, want %x", got, b.HS.BlindedSecret)
	}

	if _, err := BlindPublic([32]byte{2}, p); !errors.Is(err, ErrKey) {
		t.Errorf("no point: error %v", err)
	}
	k.Wipe()
	if _, err := BlindSecret(k, p); !errors.Is(err, keyfile.ErrWiped) {
		t.Errorf("wiped key: error %v", err)
	}
}

// https://spec.torproject.org/rend-spec/deriving-keys.html#HASHRING
func TestIndices(t *testing.T) {
	type index struct {
		Blinded hexBytes `json:"blinded_pubkey"`
		Ed      hexBytes `json:"relay_ed_id"`
		SRV     hexBytes `json:"srv"`
		Replica uint64   `json:"replica"`
		Num     uint64   `json:"period_num"`
		Minutes uint64   `json:"period_minutes"`
		Want    hexBytes `json:"expect"`
	}
	var v struct {
		HS       index `json:"hs_index"`
		HSDir    index `json:"hsdir_index"`
		Disaster index `json:"disaster_srv"`
	}
	load(t, "index.json", &v)
	if got := HSIndex([32]byte(v.HS.Blinded), v.HS.Replica, Period{v.HS.Num, v.HS.Minutes}); !bytes.Equal(got[:], v.HS.Want) {
		t.Errorf("hs_index %x, want %x", got, v.HS.Want)
	}
	if got := HSDirIndex([32]byte(v.HSDir.Ed), [32]byte(v.HSDir.SRV), Period{v.HSDir.Num, v.HSDir.Minutes}); !bytes.Equal(got[:], v.HSDir.Want) {
		t.Errorf("hsdir_index %x, want %x", got, v.HSDir.Want)
	}
	if got := DisasterSRV(Period{v.Disaster.Num, v.Disaster.Minutes}); !bytes.Equal(got[:], v.Disaster.Want) {
		t.Errorf("disaster SRV %x, want %x", got, v.Disaster.Want)
	}
}

// https://spec.torproject.org/rend-spec/revision-counter-mgt.html
func TestRevisionCounter(t *testing.T) {
	var v struct {
		Key     hexBytes `json:"key"`
		Vectors []struct {
			Input  int    `json:"input"`
			Output uint64 `json:"output"`
		} `json:"vectors"`
	}
	load(t, "ope.json", &v)
	for _, o := range v.Vectors {
		if got := encryptOrdered((*[32]byte)(v.Key), o.Input); got != o.Output {
			t.Errorf("%d: got %d, want %d", o.Input, got, o.Output)
		}
	}
	k := keyfile.EdFromSeed(&[32]byte{1})
	since := time.Unix(1e9, 0)
	at := func(d time.Duration) uint64 {
		n, err := RevisionCounter(k, since, since.Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var last uint64
	for _, d := range []time.Duration{0, time.Second, time.Hour, 24 * time.Hour, 48 * time.Hour} {
		n := at(d)
		if n <= last {
			t.Errorf("after %v: %d, before %d", d, n, last)
		}
		last = n
	}
	if at(-time.Hour) != at(0) || at(1e6*time.Hour) != at((maxOPE-1)*time.Second) {
		t.Error("times out of range are not clamped")
	}
	k.Wipe()
	if _, err := RevisionCounter(k, since, since); !errors.Is(err, keyfile.ErrWiped) {
		t.Errorf("wiped key: error %v", err)
	}
}

// https://spec.torproject.org/rend-spec/deriving-keys.html#WHERE-HSDESC
func TestRing(t *testing.T) {
	p := Period{16903, 1440}
	var dirs [][32]byte
	for i := range 50 {
		dirs = append(dirs, hash(ints(uint64(i))))
	}
	srv, blinded := [32]byte{1}, [32]byte{2}
	r := NewRing(dirs, srv, p)
	// naive goes around the ring by looking for the least index above the last, again and again.
	naive := func(replicas, spread int) (got []int) {
		for replica := range replicas {
			at := HSIndex(blinded, uint64(replica)+1, p)
			order := slices.Clone(dirs)
			slices.SortFunc(order, func(a, b [32]byte) int {
				x, y := HSDirIndex(a, srv, p), HSDirIndex(b, srv, p)
				if before, after := bytes.Compare(x[:], at[:]) < 0, bytes.Compare(y[:], at[:]) < 0; before != after {
					if before {
						return 1
					}
					return -1
				}
				return bytes.Compare(x[:], y[:])
			})
			added := 0
			for _, d := range order {
				if i := slices.Index(dirs, d); added < spread && !slices.Contains(got, i) {
					got = append(got, i)
					added++
				}
			}
		}
		return got
	}
	for _, tt := range []struct{ replicas, spread, want int }{
		{2, 4, 8}, {2, 3, 6}, {1, 1, 1}, {16, 128, 50}, {3, 20, 50}, {2, 25, 50}, {4, 12, 48}, {0, 4, 0}, {2, 0, 0},
	} {
		got := r.Responsible(blinded, tt.replicas, tt.spread)
		if want := naive(tt.replicas, tt.spread); !slices.Equal(got, want) || len(got) != tt.want {
			t.Errorf("%d replicas, spread %d: got %v, want %v of length %d", tt.replicas, tt.spread, got, want, tt.want)
		}
	}
	if got := NewRing(nil, srv, p).Responsible(blinded, 2, 4); len(got) != 0 {
		t.Errorf("empty ring: got %v", got)
	}
}

func BenchmarkBlindPublic(b *testing.B) {
	id := keyfile.EdFromSeed(&[32]byte{1}).ID()
	for b.Loop() {
		BlindPublic(id, Period{1, 1440})
	}
}

// A ring as large as that of the public network.
func BenchmarkRing(b *testing.B) {
	dirs := make([][32]byte, 4000)
	for i := range dirs {
		dirs[i] = hash(ints(uint64(i)))
	}
	for b.Loop() {
		NewRing(dirs, [32]byte{1}, Period{1, 1440}).Responsible([32]byte{2}, 2, 4)
	}
}

func BenchmarkRevisionCounter(b *testing.B) {
	k := keyfile.EdFromSeed(&[32]byte{1})
	for b.Loop() {
		RevisionCounter(k, time.Unix(0, 0), time.Unix(2*86400, 0))
	}
}
