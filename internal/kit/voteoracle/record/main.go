// Command record makes the recorded scenarios of package voteoracle again: it has C tor make consensuses of votes.
//
//	go run ./internal/kit/voteoracle/record [-tor path] [-out dir] [name ...]
//
// Without names it records all. It prints a line for each.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/voteoracle"
)

func main() {
	tor := flag.String("tor", "tor", "C tor, a `path` or name")
	out := flag.String("out", "internal/kit/voteoracle/testdata", "the `directory` of the recorded scenarios")
	parallel := flag.Int("parallel", 4, "how many C tors run at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := record(ctx, *tor, *out, *parallel, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// group is what the scenarios have in common that one C tor can record.
type group struct {
	authorities, self int
	fresh             bool
}

func record(ctx context.Context, tor, out string, parallel int, names []string) error {
	bin, err := ctor.Find(tor)
	if err != nil {
		return err
	}
	plans := map[group][]voteoracle.Plan{}
	for _, p := range voteoracle.Plans() {
		if len(names) == 0 || slices.Contains(names, p.Name) {
			g := group{p.Authorities, p.Self, p.FreshSRV}
			plans[g] = append(plans[g], p)
		}
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex // guards errs
		errs []error
	)
	turns := make(chan struct{}, parallel)
	for g, list := range plans {
		wg.Go(func() {
			if !g.fresh { // those with fresh values mostly wait
				turns <- struct{}{}
				defer func() { <-turns }()
			}
			err := recordGroup(ctx, bin, out, g, list)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func recordGroup(ctx context.Context, bin, out string, g group, plans []voteoracle.Plan) (err error) {
	dir, err := os.MkdirTemp("", "voteoracle")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r, err := voteoracle.NewRecorder(ctx, bin, dir, g.authorities, g.self, g.fresh)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var errs []error
	for i := range plans {
		s, err := r.Record(ctx, &plans[i])
		if err != nil {
			fmt.Println(err)
			errs = append(errs, err)
			continue
		}
		file, err := s.Encode()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, voteoracle.FileName(s.Name)), file, 0o644); err != nil {
			return err
		}
		fmt.Printf("%s: %d of %d authorities, method %d, %d bytes\n", s.Name, len(s.Votes), s.Authorities, s.Method, len(file))
	}
	return errors.Join(errs...)
}
