package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tropea-net/tropea/internal/app/inspect"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// Exit codes of inspect.
const (
	inspectSound = 0
	inspectWrong = 1 // a document is not sound, or could not be had
	inspectUsage = 2
)

const inspectSynopsis = `usage: tropea inspect [flags] FILE...
       tropea inspect [flags] --from HOST:PORT WHAT...
       tropea inspect [flags] --diff A B

Shows what is in directory documents, and checks them: consensuses, votes, authority certificates, router descriptors,
extra-info documents, microdescriptors, detached signatures, bandwidth files, and the outer layer of descriptors of onion
services. FILE may be "-" for standard input, or a URL: http://HOST:PORT/tor/... A directory is asked directly, not through Tor.

With --from, WHAT is a path that begins with /tor/, or one of: %s.

Certificates come from --certs, from the file cached-certs beside FILE, or from the directory that is asked. The exit code is
1 if something is wrong with a document.

`

// inspector is the verb.
type inspector struct {
	json, all, diff bool
	certs, from     string
	args            []string

	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
	in             inspect.Inspector
	asked          map[string]bool // URLs without scheme of what documents are checked with
}

func inspectVerb(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	v := inspector{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, in: inspect.Inspector{Now: time.Now()}, asked: map[string]bool{}}
	if err := v.parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return inspectSound
		}
		return inspectUsage
	}
	sound, err := v.run()
	if err != nil {
		fmt.Fprintln(stderr, "tropea inspect:", safelog.RevealText(err))
		return inspectWrong
	}
	if !sound {
		return inspectWrong
	}
	return inspectSound
}

// parse takes flags before, between and after the arguments.
func (v *inspector) parse(args []string) error {
	fs := flag.NewFlagSet("inspect", flag.ContinueOnError)
	fs.SetOutput(v.stderr)
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), inspectSynopsis, strings.Join(documentNames(), ", "))
		fs.PrintDefaults()
	}
	fs.BoolVar(&v.json, "json", false, "write a JSON object for each document, a line each")
	fs.BoolVar(&v.all, "all", false, "show each of many documents in full, and all differences")
	fs.BoolVar(&v.diff, "diff", false, "tell how two consensuses or votes differ")
	fs.StringVar(&v.certs, "certs", "", "`file` with certificates of authorities")
	fs.StringVar(&v.from, "from", "", "ask the DirPort of this directory, `host:port`")
	for {
		if err := fs.Parse(args); err != nil {
			return err
		}
		if args = fs.Args(); len(args) == 0 {
			break
		}
		v.args, args = append(v.args, args[0]), args[1:]
	}
	err := error(nil)
	switch {
	case len(v.args) == 0:
		err = errors.New("nothing to inspect: name a file")
	case v.diff && len(v.args) != 2:
		err = errors.New("--diff takes two documents")
	}
	if err != nil {
		fmt.Fprintln(v.stderr, err)
		fs.Usage()
	}
	return err
}

func (v *inspector) run() (sound bool, err error) {
	if v.certs != "" {
		data, err := v.file(v.certs)
		if err != nil {
			return false, err
		}
		v.in.AddCerts(data)
	}
	sound = true
	var all []*inspect.Document
	for i, arg := range v.args {
		data, err := v.get(arg)
		if err != nil {
			return false, err
		}
		docs, err := v.in.Documents(data)
		if err != nil {
			return false, fmt.Errorf("%s: %w", arg, err)
		}
		for _, d := range docs {
			sound = sound && d.Sound()
		}
		all = append(all, docs...)
		if v.diff && len(docs) != 1 {
			return false, fmt.Errorf("%s: --diff wants a file with one document, it has %d", arg, len(docs))
		}
		if v.diff {
			continue
		}
		if err := v.show(i, arg, docs); err != nil {
			return false, err
		}
	}
	if !v.diff {
		return sound, nil
	}
	for i, d := range all {
		if d.Err != "" {
			return false, fmt.Errorf("%s: %s", v.args[i], d.Err)
		}
	}
	diff, err := inspect.Compare(all[0], all[1])
	if err != nil {
		return false, err
	}
	if v.json {
		return sound, v.writeJSON(diff)
	}
	_, err = v.stdout.Write(diff.AppendText(nil, v.all))
	return sound, err
}

// show writes what was found in one file.
func (v *inspector) show(i int, name string, docs []*inspect.Document) error {
	if v.json {
		for _, d := range docs {
			if err := v.writeJSON(struct {
				Source   string            `json:"source"`
				Document *inspect.Document `json:"document"`
			}{name, d}); err != nil {
				return err
			}
		}
		return nil
	}
	var out []byte
	if len(v.args) > 1 {
		if i > 0 {
			out = append(out, '\n')
		}
		out = fmt.Appendf(out, "%s:\n", name)
	}
	_, err := v.stdout.Write(inspect.AppendText(out, docs, v.all))
	return err
}

func (v *inspector) writeJSON(x any) error {
	enc := json.NewEncoder(v.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(x)
}

// get returns what an argument names.
func (v *inspector) get(arg string) ([]byte, error) {
	switch {
	case v.from != "":
		path, err := documentPath(arg)
		if err != nil {
			return nil, err
		}
		return v.fetch(v.from, path)
	case strings.HasPrefix(arg, "http://"):
		host, path, _ := strings.Cut(strings.TrimPrefix(arg, "http://"), "/")
		return v.fetch(host, "/"+path)
	case arg == "-":
		return v.read(v.stdin, "standard input")
	}
	data, err := v.file(arg)
	if err == nil {
		v.beside(filepath.Dir(arg), inspect.NeedsRouters(data))
	}
	return data, err
}

// beside takes what the data directory of a file has to check it with.
func (v *inspector) beside(dir string, routers bool) {
	if v.certs == "" {
		if data, err := v.file(filepath.Join(dir, "cached-certs")); err == nil {
			v.in.AddCerts(data)
		}
	}
	if !routers {
		return
	}
	for _, name := range []string{"cached-descriptors", "cached-descriptors.new"} {
		if data, err := v.file(filepath.Join(dir, name)); err == nil {
			v.in.AddRouters(data)
		}
	}
}

// maxInput bounds what is read of a file, in bytes: some ten times what the largest cache has.
const maxInput = 512 << 20

func (v *inspector) file(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return v.read(f, name)
}

func (v *inspector) read(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err == nil && len(data) > maxInput {
		err = fmt.Errorf("%s: longer than %d bytes", name, maxInput)
	}
	return data, err
}
