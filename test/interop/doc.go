// Package interop has no code: its tests run the program and the library in a private network of C tor, and look at what
// applications get, at what the logs of both sides say, and at what is left when relays and authorities die.
//
// They need tor, and use curl where it is. TROPEA_REQUIRE_PEERS=1 makes a missing tor a failure.
// TROPEA_INTEROP_DIR names a directory in which the network is kept with all its logs. TROPEA_LONG=1 lets the tests of onion
// services do all that they can: 100 MB in each mix, and ten minutes of changing time periods.
package interop
