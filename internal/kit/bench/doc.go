// Package bench measures Tropea against another tor program on the same machine, in the same minute, at the same
// work. Machines differ and are never idle, so what counts is the ratio of both, taken round by round: each round gives
// every piece of work to the one and then to the other, and the next round the other way round.
//
// [Main] is the sub-command "tropea bench". "client" moves bytes through a private network of C tor relays; "directory"
// starts a client on a directory as large as the public network's; "relay" loads a relay with cells by package blaster; "onion"
// comes to onion services, with three casts in turns: all of C tor, our ends (client and host) with C tor's relays, and all of ours;
// "flood" comes to services that ask for proof of work while others come without.
//
// CPU is what the kernel charged to the process, in steps of 10 ms; memory is its resident set.
package bench
