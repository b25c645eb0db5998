package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
)

// maxPassphrase bounds passphrases, in bytes. Of a longer one C tor takes no more than that, too.
const maxPassphrase = 255

var (
	errWrong       = errors.New("wrong passphrase")
	errNone        = errors.New("NO/failed passphrase")
	errZero        = errors.New("a passphrase with a zero byte would not be understood by C tor")
	errInterrupted = errors.New("interrupted")
)

// newPassphrases returns what asks for passphrases. prompts go to stderr, and answers come from stdin, if there is no terminal.
func newPassphrases(p config.Passphrase, stdin io.Reader, stderr io.Writer) relaykeys.Passphrases {
	switch {
	case p.None:
		return noPassphrase{stderr}
	case p.HasFD:
		return fdPassphrase{descriptor(p.FD, stdin)}
	}
	return &prompter{stdin: stdin, stderr: stderr, most: maxPassphrase}
}

// descriptor is what came with a number from the process that started this one.
func descriptor(fd int, stdin io.Reader) io.Reader {
	switch {
	case fd == 0:
		return stdin
	case !inherited(fd):
		return badReader{fmt.Errorf("nothing is open as file descriptor %d", fd)}
	}
	return os.NewFile(uintptr(fd), "--passphrase-fd")
}

// askLine reads a passphrase of most bytes: the first line of a file descriptor, or if that is negative what is typed at the
// terminal. Of a longer one the rest is dropped.
func askLine(fd int, stdin io.Reader, stderr io.Writer, prompt string, most int) ([]byte, error) {
	if fd < 0 {
		b, err := (&prompter{stdin: stdin, stderr: stderr, most: most}).ask(prompt)
		if err == io.EOF {
			err = errNone
		}
		return b, err
	}
	b, err := io.ReadAll(io.LimitReader(descriptor(fd, stdin), int64(most)))
	if err != nil {
		return nil, fmt.Errorf("couldn't read from passphrase fd: %w", err)
	}
	if end := bytes.IndexAny(b, "\n\x00"); end >= 0 {
		b = b[:end]
	}
	return b, nil
}

// notEncrypting says what becomes of the key. Scripts look for the words.
func notEncrypting(w io.Writer) { fmt.Fprintln(w, "Not encrypting the secret key.") }

// noPassphrase is --no-passphrase.
type noPassphrase struct{ stderr io.Writer }

func (noPassphrase) Old(int) ([]byte, error) {
	return nil, errors.New("the key is encrypted, and --no-passphrase is set")
}

func (p noPassphrase) New() ([]byte, error) {
	notEncrypting(p.stderr)
	return nil, nil
}

// fdPassphrase is --passphrase-fd: everything that can be read is the passphrase, line ends too. So there is no second one.
type fdPassphrase struct{ r io.Reader }

func (p fdPassphrase) Old(wrong int) ([]byte, error) {
	if wrong > 0 {
		return nil, errWrong
	}
	return p.read()
}

func (p fdPassphrase) New() ([]byte, error) {
	b, err := p.read()
	return checkNew(b, err)
}

func (p fdPassphrase) read() ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(p.r, maxPassphrase))
	if err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	if len(b) == 0 {
		return nil, errNone
	}
	return b, nil
}

// badReader is a file that cannot be read.
type badReader struct{ err error }

func (r badReader) Read([]byte) (int, error) { return 0, r.err }

// checkNew refuses what C tor would take for something else.
func checkNew(b []byte, err error) ([]byte, error) {
	if err == nil && bytes.IndexByte(b, 0) >= 0 {
		return nil, errZero
	}
	return b, err
}

// prompter asks at the terminal, without showing what is typed; if there is none, on standard error and input.
type prompter struct {
	stdin  io.Reader
	stderr io.Writer
	most   int // bytes of a passphrase; of a longer one the rest is dropped
}

func (p *prompter) Old(wrong int) ([]byte, error) {
	if wrong > 0 {
		fmt.Fprintln(p.stderr, "That passphrase is wrong.")
	}
	b, err := p.ask("Enter passphrase for master key:")
	if err == io.EOF {
		return nil, errNone
	}
	return b, err
}

func (p *prompter) New() ([]byte, error) {
	for {
		first, err := p.ask("Enter new passphrase:")
		if err != nil && err != io.EOF {
			return nil, err
		}
		// At the end of the input nothing is asked anymore: it is a program that does not want a passphrase.
		if err == io.EOF {
			notEncrypting(p.stderr)
			return nil, nil
		}
		second, err := p.ask("       One more time:")
		if err != nil && err != io.EOF {
			return nil, err
		}
		same := bytes.Equal(first, second)
		clear(second)
		if same {
			if len(first) == 0 {
				notEncrypting(p.stderr)
			}
			return checkNew(first, nil)
		}
		clear(first)
		fmt.Fprintln(p.stderr, "That didn't match.")
	}
}

// ask returns one line. io.EOF means that there is no terminal, and nothing to read either.
func (p *prompter) ask(prompt string) ([]byte, error) {
	in, out, err := openTerminal()
	if err != nil {
		fmt.Fprint(p.stderr, prompt)
		return readLine(p.stdin, p.most)
	}
	defer in.Close()
	defer out.Close()
	fmt.Fprint(out, prompt)
	b, err := readHidden(int(in.Fd()))
	fmt.Fprintln(out)
	if err == io.EOF {
		err = errInterrupted
	}
	return b[:min(len(b), p.most)], err
}

// readHidden reads a line without echo. Signals that end the program do so once the echo is on again.
func readHidden(fd int) ([]byte, error) {
	state, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, sigHUP)
	defer signal.Stop(signals)
	type answer struct {
		b   []byte
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		b, err := term.ReadPassword(fd)
		answers <- answer{b, err}
	}()
	select {
	case a := <-answers:
		return a.b, a.err
	case <-signals:
		return nil, errors.Join(errInterrupted, term.Restore(fd, state))
	}
}

// readLine reads to the end of a line, and not further. It returns most bytes at most.
func readLine(r io.Reader, most int) (line []byte, err error) {
	var b [1]byte
	for {
		n, err := r.Read(b[:])
		switch {
		case n == 1 && (b[0] == '\n' || b[0] == '\r'):
			return line, nil
		case n == 1 && len(line) < most:
			line = append(line, b[0])
		case n == 0 && err != nil && len(line) > 0:
			return line, nil
		case n == 0 && err != nil:
			return nil, err
		}
	}
}
