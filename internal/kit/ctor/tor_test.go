package ctor

import (
	"net"
	"regexp"
	"testing"
)

// TestTor drives a C tor that stays off the network.
func TestTor(t *testing.T) {
	Require(t, "tor")
	bin, err := Find("tor")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	var torrc Torrc
	torrc.Add("DisableNetwork", "1")
	torrc.Add("SocksPort", "0")
	torrc.Add("ControlPort", addr)
	torrc.Add("CookieAuthentication", "1")
	torrc.Add("Log", "notice", "stdout")
	p, err := Start(Config{Name: "tor", Bin: bin, Dir: dir, Torrc: torrc})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	if err := p.WaitBootstrap(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	c, err := DialControl(t.Context(), addr, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := c.GetInfo("version"); err != nil || len(got) != 1 {
		t.Errorf("GETINFO version: %q, %v", got, err)
	}
	if got, err := c.GetInfo("config-text"); err != nil || len(got) < 3 { // a data block
		t.Errorf("GETINFO config-text: %q, %v", got, err)
	}
	if got, err := c.GetInfo("circuit-status"); err != nil || len(got) != 0 {
		t.Errorf("GETINFO circuit-status: %q, %v; want nothing", got, err)
	}
	if _, err := c.GetInfo("no-such-key"); err == nil {
		t.Error("GETINFO of an unknown key succeeded")
	}
	if err := c.Signal("RELOAD"); err != nil {
		t.Error(err)
	}
	if _, err := p.Wait(t.Context(), regexp.MustCompile(`Received reload signal`)); err != nil {
		t.Error(err)
	}
	if u, err := p.Usage(); err != nil || u.RSS < 1<<20 {
		t.Errorf("usage is %+v, %v", u, err)
	}
	if err := p.Stop(); err != nil || p.Err() != nil {
		t.Errorf("stop: %v, %v", err, p.Err())
	}
}

func TestGencert(t *testing.T) {
	Require(t, "tor-gencert")
	bin, err := Find("tor-gencert")
	if err != nil {
		t.Fatal(err)
	}
	ident, err := Gencert(t.Context(), bin, t.TempDir())
	if err != nil || len(ident) != 40 {
		t.Errorf("got %q, %v; want 40 hex digits", ident, err)
	}
}
