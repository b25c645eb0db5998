//go:build !linux

package ctor

import (
	"errors"
	"fmt"
)

func usage(int) (Usage, error) { return Usage{}, fmt.Errorf("%w: %w", ErrUsage, errors.ErrUnsupported) }
