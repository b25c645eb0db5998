package ctor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// certFingerprint finds the v3 identity in an authority certificate.
// https://spec.torproject.org/dir-spec/creating-key-certificates.html
var certFingerprint = regexp.MustCompile(`(?m)^fingerprint ([0-9A-F]{40})\r?$`)

// Gencert makes the v3 identity, signing key and certificate of a directory authority for the process in dir, by running
// tor-gencert at path bin. It returns the v3 identity, upper-case hex. It takes about a second of CPU.
func Gencert(ctx context.Context, bin, dir string) (v3ident string, err error) {
	keys := filepath.Join(DataDir(dir), "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return "", fmt.Errorf("tor-gencert: %w", err)
	}
	certificate := filepath.Join(keys, "authority_certificate")
	cmd := exec.CommandContext(ctx, bin, "--create-identity-key", "-m", "12", "--passphrase-fd", "0",
		"-i", filepath.Join(keys, "authority_identity_key"),
		"-s", filepath.Join(keys, "authority_signing_key"),
		"-c", certificate)
	cmd.Stdin = strings.NewReader("the keys of a test network are no secret\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("tor-gencert: %w: %s", err, out)
	}
	text, err := os.ReadFile(certificate)
	if err != nil {
		return "", fmt.Errorf("tor-gencert: %w", err)
	}
	m := certFingerprint.FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("tor-gencert: its certificate has no fingerprint line")
	}
	return string(m[1]), nil
}
