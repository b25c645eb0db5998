package main

import "testing"

func TestTarget(t *testing.T) {
	for arg, want := range map[string]string{
		"8080": "tcp localhost:8080", "localhost:80": "tcp localhost:80", "[::1]:80": "tcp [::1]:80", "unix:/run/web": "unix /run/web",
		"localhost": "", ":80": "", "localhost:http": "", "localhost:0": "", "0": "", "70000": "", "a:b:c": "", "unix:": "", "": "",
	} {
		network, addr, ok := target(arg)
		if ok != (want != "") || ok && network+" "+addr != want {
			t.Errorf("%q: got %s %s, %v", arg, network, addr, ok)
		}
	}
}
