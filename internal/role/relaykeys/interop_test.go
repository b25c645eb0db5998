package relaykeys

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// offline is the configuration of a relay that reaches nothing: its network is off, and its only authority is made up.
const offline = `DataDirectory %s
DisableNetwork 1
ORPort 127.0.0.1:5999
Address 127.0.0.1
SocksPort 0
Nickname Probe
ContactInfo nobody
ExitRelay 0
TestingTorNetwork 1
DirAuthority fake orport=1 v3ident=0000000000000000000000000000000000000001 127.0.0.1:1 0000000000000000000000000000000000000002
LogMessageDomains 1
Log info stdout
`

// tor prepares a run of C tor in a data directory. input, if there is any, is what file descriptor 3 yields.
func tor(t *testing.T, dir, torrc, input string, args ...string) *exec.Cmd {
	t.Helper()
	bin, err := ctor.Find("tor")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "torrc")
	if err := os.WriteFile(path, []byte(fmt.Sprintf(offline, dir)+torrc), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, bin, append([]string{"--defaults-torrc", os.DevNull, "-f", path}, args...)...)
	if input != "" {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, input)
		w.Close()
		t.Cleanup(func() { r.Close() })
		cmd.ExtraFiles = []*os.File{r}
	}
	return cmd
}

func runTor(t *testing.T, dir, input string, args ...string) string {
	t.Helper()
	out, err := tor(t, dir, "", input, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("tor %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// expected are warnings about the configuration above.
var expected = regexp.MustCompile(`You have used DirAuthority|TestingTorNetwork is set|running Tor as root|can't help you|Your log may contain sensitive`)

// wantCalm checks that C tor had nothing to say about keys.
func wantCalm(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		bad := strings.Contains(line, "[warn]") || strings.Contains(line, "[err]") ||
			strings.Contains(line, "It looks like I") || strings.Contains(line, "generating fresh key") || strings.Contains(line, "Regenerating")
		if bad && !expected.MatchString(line) {
			t.Errorf("C tor says: %s", line)
		}
	}
}

func openDir(t *testing.T, path string) *statefile.Dir {
	t.Helper()
	d, err := statefile.Open(slog.New(slog.DiscardHandler), path, statefile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func keyFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(dir, "keys", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(b)
	}
	return files
}

func wantSameFiles(t *testing.T, who string, before, after map[string]string) {
	t.Helper()
	for name := range before {
		if before[name] != after[name] {
			t.Errorf("%s changed %s", who, name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s made %s", who, name)
		}
	}
}

// wantPrinted checks that C tor knows the relay of s.
func wantPrinted(t *testing.T, log string, s *Snapshot) {
	t.Helper()
	fp, ed := s.Fingerprint(), s.Ed()
	for _, want := range []string{
		"fingerprint is 'Probe " + strings.ToUpper(hex.EncodeToString(fp[:])) + "'",
		"ed25519 fingerprint is 'Probe " + base64.RawStdEncoding.EncodeToString(ed[:]) + "'",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("C tor does not say %q:\n%s", want, log)
		}
	}
}

// C tor's directory becomes ours, and C tor's again.
func TestTakeOverFromCTor(t *testing.T) {
	ctor.Require(t, "tor")
	dir := t.TempDir()
	log := runTor(t, dir, "", "--list-fingerprint")
	before := keyFiles(t, dir)
	k, r := mustLoad(t, Config{Nickname: "Probe"}, openDir(t, dir), time.Now())
	if r.NewRelay || r.Signing || r.Rotated || len(r.Warnings) != 0 {
		t.Errorf("got %+v", r)
	}
	wantPrinted(t, log, k.Current())
	wantSameFiles(t, "Tropea", before, keyFiles(t, dir))
	log = runTor(t, dir, "", "--list-fingerprint")
	wantCalm(t, log)
	wantPrinted(t, log, k.Current())
}

// Our directory becomes C tor's, also after all that can be replaced has been.
func TestHandOverToCTor(t *testing.T) {
	ctor.Require(t, "tor")
	dir := t.TempDir()
	now := time.Now()
	k, _ := mustLoad(t, Config{Nickname: "Probe", OnionRotated: now.Add(-29 * day)}, openDir(t, dir), now.Add(-29*day-2*time.Hour))
	if r := advance(t, k, now); !r.Rotated || !r.Signing {
		t.Errorf("got %+v", r)
	}
	before := keyFiles(t, dir)
	if len(before) != 9 {
		t.Errorf("got %d files", len(before))
	}
	log := runTor(t, dir, "", "--list-fingerprint")
	wantCalm(t, log)
	wantPrinted(t, log, k.Current())
	wantSameFiles(t, "C tor", before, keyFiles(t, dir))
}

// A running C tor uses our keys, family keys among them.
func TestCTorRuns(t *testing.T) {
	ctor.Require(t, "tor")
	dir := t.TempDir()
	k, _ := mustLoad(t, Config{Nickname: "Probe"}, openDir(t, dir), time.Now())
	for name, f := range familyDir(t, "one") {
		if strings.HasSuffix(name, familySuffix) {
			if err := os.WriteFile(filepath.Join(dir, "keys", name), f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := tor(t, dir, "FamilyId *\n", "")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	for s := bufio.NewScanner(out); s.Scan(); {
		fmt.Fprintln(&log, s.Text())
		if strings.Contains(s.Text(), "Bootstrapped 0%") {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // killed
	// FamilyId without MyFamily is not to its taste yet.
	calm := regexp.MustCompile(`(?m)^.*MyFamily was not.*\n`).ReplaceAllString(log.String(), "")
	wantCalm(t, calm)
	wantPrinted(t, calm, k.Current())
	for _, want := range []string{"Found 1 family ID keys", "Bootstrapped 0%"} {
		if !strings.Contains(calm, want) {
			t.Errorf("C tor does not say %q:\n%s", want, calm)
		}
	}
}

func TestCTorFamilyKey(t *testing.T) {
	ctor.Require(t, "tor")
	dir := t.TempDir()
	out := runTor(t, t.TempDir(), "", "--keygen-family", filepath.Join(dir, "one"))
	k, _ := mustLoad(t, Config{Families: Families{Dir: os.DirFS(dir), All: true}}, relay(t), start)
	ids := k.Current().FamilyIDs()
	if len(ids) != 1 || !strings.Contains(out, "FamilyId "+familyText(ids[0])) {
		t.Errorf("got %x; C tor says %s", ids, out)
	}
}

// C tor makes the signing key of a relay whose master key is encrypted, by it or by us.
func TestCTorKeygen(t *testing.T) {
	ctor.Require(t, "tor")
	const passphrase = "correct horse"
	keygen := []string{"--keygen", "--passphrase-fd", "3"}

	theirs := t.TempDir()
	runTor(t, theirs, passphrase, keygen...)
	k, r := mustLoad(t, Config{OfflineMasterKey: true}, openDir(t, theirs), time.Now())
	if len(r.Warnings) != 0 || !r.NewRelay { // the RSA identity is new
		t.Errorf("got %+v", r)
	}
	master := openBox(t, theirs, passphrase)
	if master.ID() != k.Current().Ed() {
		t.Error("another master key")
	}

	ours := t.TempDir()
	d := openDir(t, ours)
	box, err := keyfile.Seal(master, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	b, err := box.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, d, masterBox, b)
	runTor(t, ours, passphrase, keygen...)
	k, _ = mustLoad(t, Config{OfflineMasterKey: true}, d, time.Now())
	if k.Current().Ed() != master.ID() {
		t.Error("C tor took another master key out of our box")
	}
}

// Signing keys that we make with an encrypted master key of C tor, and passphrases that C tor and we change in turn, are good
// for C tor's relay on another machine.
func TestKeygenAndCTor(t *testing.T) {
	ctor.Require(t, "tor")
	const passphrase = "correct horse\n"
	a := t.TempDir()
	d := openDir(t, a)
	runTor(t, a, passphrase, "--keygen", "--passphrase-fd", "3")
	ed := openBox(t, a, passphrase).ID()

	wantRelay := func(who string) {
		t.Helper()
		b := t.TempDir()
		carry(t, d, openDir(t, b))
		before := keyFiles(t, b)
		log := runTor(t, b, "", "--OfflineMasterKey", "1", "--list-fingerprint", "ed25519")
		wantCalm(t, log)
		if !strings.Contains(log, "\nProbe "+base64.RawStdEncoding.EncodeToString(ed[:])) {
			t.Errorf("signing key of %s: C tor says\n%s", who, log)
		}
		after := keyFiles(t, b)
		for name := range before {
			if before[name] != after[name] {
				t.Errorf("signing key of %s: C tor changed %s", who, name)
			}
		}
	}
	wantRelay("C tor")
	now := time.Now()
	keygen(t, Keygen{Passphrases: &answers{old: []string{passphrase}}}, d, now)
	wantRelay("ours")

	// We take the passphrase away, C tor sets one, and we another, which C tor understands.
	keygen(t, Keygen{Passphrases: &answers{old: []string{passphrase}}, NewPassphrase: true}, d, now)
	remove(t, d, masterBox)
	wantRelay("ours, in plain")
	runTor(t, a, "second", "--keygen", "--newpass", "--passphrase-fd", "3")
	if _, err := d.Read(masterSecret); err == nil {
		t.Error("C tor did not take our plain key")
	}
	keygen(t, Keygen{Passphrases: &answers{old: []string{"second"}, fresh: "third"}, NewPassphrase: true}, d, now)
	runTor(t, a, "third", "--keygen", "--passphrase-fd", "3")
	wantRelay("C tor, with our box")
	if openBox(t, a, "third").ID() != ed {
		t.Error("another master key")
	}
}

func openBox(t *testing.T, dir, passphrase string) *keyfile.EdSecret {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, masterBox))
	if err != nil {
		t.Fatal(err)
	}
	box, err := keyfile.ParseBox(b)
	if err != nil {
		t.Fatal(err)
	}
	key, err := box.Open([]byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
