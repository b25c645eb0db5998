package safelog

import "log/slog"

// C tor's log levels, as every layer uses them. The first four are slog's own, so that (*slog.Logger).Error, Warn,
// Info and Debug write err, warn, notice and info; debug is below all of them.
const (
	LevelErr    = slog.LevelError
	LevelWarn   = slog.LevelWarn
	LevelNotice = slog.LevelInfo
	LevelInfo   = slog.LevelDebug
	LevelDebug  = slog.LevelDebug - 4
)
