package hskeys

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// What services of C tor did in a test network: with the same consensus, we find the same blinded keys, indices and directories.
func TestUploadsOfCTor(t *testing.T) {
	var v struct {
		ValidAfter time.Time           `json:"valid_after"`
		Interval   time.Duration       `json:"interval_seconds"`
		Current    hexBytes            `json:"srv_current"`
		Previous   hexBytes            `json:"srv_previous"`
		Relays     map[string]hexBytes `json:"relays"`
		Uploads    []struct {
			Address string              `json:"address"`
			Blinded hexBytes            `json:"blinded"`
			Index   map[string]hexBytes `json:"hsdir_index"`
		} `json:"uploads"`
	}
	load(t, "ctor-uploads.json", &v)
	c, err := NewClock(v.ValidAfter, v.Interval*time.Second, 1440, true)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	var dirs [][32]byte
	for name, ed := range v.Relays {
		names, dirs = append(names, name), append(dirs, [32]byte(ed))
	}
	srvs := map[SRV][32]byte{CurrentSRV: [32]byte(v.Current), PreviousSRV: [32]byte(v.Previous)}
	first, second := c.Store()
	for _, up := range v.Uploads {
		addr, err := onionaddr.Parse(up.Address)
		if err != nil {
			t.Fatal(err)
		}
		use := first
		blinded, err := BlindPublic(addr, use.Period)
		if !bytes.Equal(blinded[:], up.Blinded) {
			use = second
			blinded, err = BlindPublic(addr, use.Period)
		}
		if err != nil || !bytes.Equal(blinded[:], up.Blinded) {
			t.Errorf("%s: no descriptor of ours has blinded key %x, error %v", up.Address, up.Blinded, err)
			continue
		}
		got := NewRing(dirs, srvs[use.SRV], use.Period).Responsible(blinded, 2, 4)
		if len(got) != len(up.Index) {
			t.Errorf("%s: %d directories, C tor has %d", up.Address, len(got), len(up.Index))
		}
		for _, i := range got {
			index := HSDirIndex(dirs[i], srvs[use.SRV], use.Period)
			if want := up.Index[names[i]]; !bytes.Equal(index[:], want) {
				t.Errorf("%s: %s has index %x, C tor says %x", up.Address, names[i], index, want)
			}
		}
	}
}

// A service of C tor, of which we have the key, published a descriptor with a certain blinded key and revision, two minutes or so
// after a shared random value.
func TestRevisionOfCTor(t *testing.T) {
	file, err := testdata.ReadFile("testdata/hs_ed25519_secret_key")
	if err != nil {
		t.Fatal(err)
	}
	k, err := keyfile.ParseEdSecret(file, keyfile.TagMaster)
	if err != nil || onionaddr.Address(k.ID()).String() != "k7mhpflq4leqvnz6hre3eiaqwu4hexm526iajjdqh2b4tcwznb45fcad.onion" {
		t.Fatal(k, err)
	}
	c, err := NewClock(time.Date(2026, 11, 26, 23, 24, 0, 0, time.UTC), 10*time.Second, 1440, true)
	if err != nil {
		t.Fatal(err)
	}
	const blinded, revision = "0ce06889c903edc266ef065a96f6b718c6d2245dfa8cfa10a8c19ff62a3e65d8", 7590358
	first, second := c.Store()
	for _, use := range []Use{first, second} {
		b, err := BlindSecret(k, use.Period)
		if err != nil {
			t.Fatal(err)
		}
		id := b.ID()
		if hex.EncodeToString(id[:]) != blinded {
			continue
		}
		for s := range 600 {
			if n, err := RevisionCounter(b, use.Since, use.Since.Add(time.Duration(s)*time.Second)); err != nil || n == revision {
				t.Logf("%d seconds after %v, error %v", s, use.Since, err)
				return
			}
		}
		t.Errorf("no second gives revision %d", revision)
		return
	}
	t.Errorf("neither of %+v and %+v gives blinded key %s", first, second, blinded)
}
