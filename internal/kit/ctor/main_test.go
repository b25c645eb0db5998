package ctor

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
)

// TestMain makes the test binary a program with C tor's log, if the environment says how it is to behave.
func TestMain(m *testing.M) {
	mode := os.Getenv("CTOR_TEST_PROGRAM")
	if mode == "" {
		os.Exit(m.Run())
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	fmt.Println("Nov 22 15:00:00.000 [notice] Bootstrapped 0% (starting): Starting")
	if !slices.Contains(os.Args, "__OwningControllerProcess") || mode == "fail" {
		fmt.Fprintln(os.Stderr, "Nov 22 15:00:00.001 [err] Reading config failed")
		os.Exit(1)
	}
	fmt.Println("Nov 22 15:00:00.002 [notice] Bootstrapped 15% (handshake_done): Handshake with a relay done")
	fmt.Println("Nov 22 15:00:00.003 [notice] Bootstrapped 100% (done): Done")
	if mode == "stubborn" {
		select {}
	}
	<-terminated
	fmt.Println("Nov 22 15:00:00.004 [notice] Catching signal TERM, exiting cleanly.")
}
