// Package logfmt writes the log as C tor does:
//
//	Nov 22 15:06:01.000 [notice] Bootstrapped 100% (done): Done
//	Nov 22 15:06:02.000 [warn] link closed: relay=$AAAA... err="relay sent CERTS twice"
//
// Programs read these lines, so the form is fixed: time, severity, message. What slog adds as attributes stands at the
// end as key=value.
//
// An [Output] is where all loggers of the process write. It begins with notices on standard output and keeps them in
// memory too, until [Output.Configure] opens the sinks that the Log options ask for ([ParseRule]) and gives them what
// was said before. Values that are wrapped by package safelog stay hidden unless SafeLogging is 0.
package logfmt
