package tropea_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/tropea-net/tropea"
)

// A page fetched through Tor. It is compiled and not run by the tests, which use no network.
func Example() {
	client, err := tropea.New(tropea.Config{Dir: "tor-data"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := client.Start(ctx); err != nil {
		log.Fatal(err)
	}

	web := &http.Client{Transport: &http.Transport{DialContext: client.DialContext}}
	resp, err := web.Get("https://check.torproject.org/api/ip")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", body)
}

// Streams of different users never share a circuit.
func ExampleDialer() {
	client, err := tropea.New(tropea.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	alice := tropea.Dialer{Client: client, Isolation: tropea.NewIsolation()}
	bob := tropea.Dialer{Client: client, Isolation: tropea.NewIsolation()}
	_, err = alice.DialContext(context.Background(), "tcp", "example.com:443")
	fmt.Println(err)
	_, err = bob.DialContext(context.Background(), "tcp", "example.com:443")
	fmt.Println(err)
	// Output:
	// tropea dial: client closed: client was not started
	// tropea dial: client closed: client was not started
}

// An onion service keeps its address as long as its key is kept.
func ExampleClient_Listen() {
	client, err := tropea.New(tropea.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	key := tropea.NewOnionKey() // store it, and give it back the next time
	onion, err := client.Listen(context.Background(), tropea.OnionConfig{Key: key, Ports: []uint16{80}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("http://" + onion.Addr().String())
	log.Fatal(http.Serve(onion, http.FileServer(http.Dir("."))))
	// Output:
	// tropea listen: client closed: client was not started
}
