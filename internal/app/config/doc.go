// Package config knows the options of Tor: one table ([Options]) from which the torrc, the command line,
// --list-torrc-options and --dump-config follow.
//
// [ParseCommandLine] reads the arguments, [Load] the files that they name. Defaults file, torrc and command line are
// merged in this order into [Values]; every value is checked. What the daemon needs is in [Client] and [Relay].
//
// The table also says what is built ([Effect]). An option whose effect is missing is named in a warning if it can do
// no harm, and is an error if the user relies on it: who sets UseBridges must never be connected directly because this
// version has no bridges.
package config
