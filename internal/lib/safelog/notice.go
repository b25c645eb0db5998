package safelog

import (
	"context"
	"log/slog"
)

// Notice logs at [LevelNotice].
func Notice(log *slog.Logger, msg string, args ...any) {
	log.Log(context.Background(), LevelNotice, msg, args...)
}
