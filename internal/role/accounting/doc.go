// Package accounting keeps a relay within AccountingMax: it counts bytes by intervals of a month, a week or a day, and says
// when the relay has to sleep.
//
// An interval begins at AccountingStart in local time. A relay that would use up its bytes before the end sleeps first,
// until a moment of the interval that its identity decides, so that not all relays are up at the beginning and none at
// the end. Near the limit it takes nothing new ([Soft]); at the limit it closes what it has, until the next interval
// ([Dormant]).
//
// An [Account] computes and remembers; it neither waits nor locks, and its caller does what a [State] asks for. Its
// memory is in C tor's state file, with C tor's keys and units, so that one can change programs within an interval; the
// time to wake up is the same in both. It differs from C tor's hibernate.c in this:
//
//   - What the next interval will use is estimated from the bytes and active time up to the soft limit. C tor
//     (update_expected_bandwidth) means to, but divides by 60 where it has to multiply, so that a relay that reached its limit
//     always wakes up at the very beginning.
//   - States follow from the figures alone. A limit that is raised wakes the relay at once, as a restart of C tor would.
//   - A relay that has woken up stays awake when the clock is set back, and an interval that lies in the future is
//     given up.
//   - An interval begins when the local clock first shows the hour, or jumps over it.
package accounting
