package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal, and the program that runs in it.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd

	mu   sync.Mutex // guards the field below
	seen strings.Builder
}

// startInTerminal runs tropea in a terminal of its own.
func startInTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Skip(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	term := &terminal{t: t, master: master, cmd: exec.CommandContext(t.Context(), "tropea", args...)}
	term.cmd.Stdin, term.cmd.Stdout, term.cmd.Stderr = slave, slave, slave
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	go func() {
		var b [1024]byte
		for {
			n, err := master.Read(b[:])
			term.mu.Lock()
			term.seen.Write(b[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return term
}

func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.seen.String()
}

func (term *terminal) echoes() bool {
	attr, err := unix.IoctlGetTermios(int(term.master.Fd()), unix.TCGETS)
	return err == nil && attr.Lflag&unix.ECHO != 0
}

// answer types a line once the prompt is there for the nth time and the echo is off.
func (term *terminal) answer(prompt string, nth int, line string) {
	term.t.Helper()
	for end := time.Now().Add(patience); strings.Count(term.text(), prompt) < nth || term.echoes(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			term.t.Fatalf("no prompt %q: %q", prompt, term.text())
		}
	}
	if _, err := io.WriteString(term.master, line); err != nil {
		term.t.Fatal(err)
	}
}

// says waits for words of the program.
func (term *terminal) says(words string) {
	term.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(term.text(), words); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			term.t.Fatalf("it did not say %q: %q", words, term.text())
		}
	}
}

// A passphrase is asked for at the terminal, and is not seen there.
func TestPassphraseAtTerminal(t *testing.T) {
	dir := t.TempDir()
	data, none := filepath.Join(dir, "data"), filepath.Join(dir, "none")
	if err := os.WriteFile(none, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--defaults-torrc", none, "-f", filepath.Join(dir, "nowhere"), "--DataDirectory", data, "--keygen", "--hush"}
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(data, "keys", name))
		return err == nil
	}

	// With control-C nothing is made, and the echo is back.
	term := startInTerminal(t, args...)
	term.answer("Enter new passphrase:", 1, "one\n")
	term.answer("One more time:", 1, "\x03")
	if err := term.cmd.Wait(); err == nil || has("ed25519_master_id_public_key") {
		t.Errorf("interrupted: %v; made keys: %v", err, has("ed25519_master_id_public_key"))
	}
	if !term.echoes() {
		t.Error("the terminal no longer echoes")
	}

	term = startInTerminal(t, args...)
	term.answer("Enter new passphrase:", 1, "one\n")
	term.answer("One more time:", 1, "two\n")
	term.answer("Enter new passphrase:", 2, "battery staple\n")
	term.answer("One more time:", 2, "battery staple\n")
	if err := term.cmd.Wait(); err != nil {
		t.Fatal(err, term.text())
	}
	if !has("ed25519_master_id_secret_key_encrypted") || has("ed25519_master_id_secret_key") {
		t.Error("the key is not encrypted")
	}

	again := startInTerminal(t, args...)
	again.answer("Enter passphrase for master key:", 1, "battery\n")
	again.answer("Enter passphrase for master key:", 2, "battery staple\n")
	if err := again.cmd.Wait(); err != nil {
		t.Fatal(err, again.text())
	}
	if all := term.text() + again.text(); strings.Contains(all, "two") || strings.Contains(all, "staple") || !strings.Contains(all, "That didn't match.") {
		t.Errorf("seen: %q", all)
	}
}

// The passphrase of an authority's identity key is asked for twice when it is made, and once after that. It may be long.
func TestGencertAtTerminal(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("battery staple ", 20)
	files := func(identity string) []string {
		return []string{"gencert", "-i", filepath.Join(dir, identity), "-s", filepath.Join(dir, "sk"), "-c", filepath.Join(dir, "crt")}
	}
	const prompt, verify = "Enter PEM pass phrase:", "Verifying - Enter PEM pass phrase:"

	term := startInTerminal(t, append(files("none"), "--create-identity-key")...)
	term.answer(prompt, 1, "one fish\n")
	term.answer(verify, 1, "two fish\n")
	term.says("the passphrases differ")
	if err := term.cmd.Wait(); err == nil {
		t.Error("two passphrases are taken")
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
		t.Errorf("made %v, %v", list, err)
	}

	term = startInTerminal(t, append(files("id"), "--create-identity-key")...)
	term.answer(prompt, 1, long+"\n")
	term.answer(verify, 1, long+"\n")
	if err := term.cmd.Wait(); err != nil {
		t.Fatal(err, term.text())
	}
	again := startInTerminal(t, files("id")...)
	again.answer(prompt, 1, long[:len(long)-1]+"\n")
	again.says("wrong passphrase")
	if err := again.cmd.Wait(); err == nil {
		t.Error("a wrong passphrase is taken")
	}
	again = startInTerminal(t, append(files("id"), "--reuse")...)
	again.answer(prompt, 1, long+"\n")
	if err := again.cmd.Wait(); err != nil {
		t.Error(err, again.text())
	}
	if all := term.text() + again.text(); strings.Contains(all, "staple") {
		t.Errorf("seen: %q", all)
	}
}
