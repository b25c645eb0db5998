// Package stats counts what a relay does, and says what it publishes of it: bandwidth, and figures that researchers use and
// that are too coarse to tell anything about a client.
//
//	what                       event                       lines                        by default
//	bandwidth                  AddRead, AddWritten, AddDir write-history and others     on
//	requests for consensuses   DirRequest                  dirreq-stats-end and so on   on, with a GeoIP file
//	onion services             RendCells, OnionStored      hidserv-(v3-)stats-end ...   on
//	clients by country         Client                      entry-stats-end ...          off
//	time of cells in queues    CircuitClosed               cell-stats-end ...           off
//	exit traffic by port       ExitStream, ExitBytes       exit-stats-end ...           off
//	use of links both ways     LinkBytes                   (ipv6-)conn-bi-direct        off
//	padding                    AddCells, PaddingTimers     padding-counts               on
//	overload                   Overloaded, Onionskin       overload-...                 on
//
// Most of these are counted for a day that begins when the relay starts. At the end of the day, [Stats.Tick] makes the lines
// and writes them to a file below stats/, as C tor does; [Stats.ExtraInfo] has them for the day that follows, also
// after a restart. A day that the relay did not live to see the end of is not published. Bandwidth is in the
// state file. Files and state are C tor's, so that one can change programs. What only bridges publish (bridge-stats-end) is not
// here.
//
// Events are cheap: some atomic additions, or a mutex for a moment. Memory is bounded: what could grow without end is
// sampled, or not counted any more, beyond limits that no relay of today comes near.
//
// # Differences from C tor
//
//   - A request for a consensus counts when it has been answered; C tor counts some of it when the answer begins. So there
//     are no requests that are still running at the end of a day, and those that failed count as timed out at once.
//   - Clients that are too old for authenticated SENDMEs count like others; C tor leaves them out of dirreq-v3-ips and -reqs.
//   - C tor publishes the padding of its first second as that of a day.
//   - When the clock is set back by more than a day, days and bandwidth go on from there; C tor counts nothing until it has
//     caught up.
//
// https://spec.torproject.org/dir-spec/extra-info-document-format.html
package stats
