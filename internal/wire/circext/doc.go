// Package circext has the list of extensions that travels in circuit handshakes and in messages of onion services.
//
//	list: n 1 | n times: type 1 | length 1 | body
//
// What a type means depends on where the list is:
//
//	ntor-v3, from the client          1 congestion control, 3 subprotocols
//	ntor-v3, from the relay           2 congestion control
//	INTRODUCE1, the encrypted part    1 congestion control, 2 proof of work, 3 subprotocols
//	ESTABLISH_INTRO                   1 limits against denial of service
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
package circext
