//go:build !unix

package testnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

const reportDone = 0x04

func detach(context.Context, []string, io.Writer) error {
	return fmt.Errorf("--detach: %w", errors.ErrUnsupported)
}

func openReport() (*os.File, error) { return nil, nil }
