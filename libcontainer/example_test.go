package libcontainer_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"tare/libcontainer"
	_ "tare/nsenter" // this program is its own init stage
)

// A program runs a container of a bundle directory to its end. Its main package imports tare/nsenter,
// or Config.Binary names a tare binary.
func Example() {
	ctx := context.Background()
	rt, err := libcontainer.New(libcontainer.Config{Root: stateRoot})
	if err != nil {
		log.Fatal(err)
	}
	s := testSpec("example", "/bin/hello") // Bundle alone would take config.json
	c, err := rt.Create(ctx, "example", libcontainer.CreateOptions{Bundle: bundle, Spec: s,
		IO: libcontainer.IO{Stdout: os.Stdout, Stderr: os.Stderr}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Delete(ctx, true)
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	status, err := c.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("exit code", status.Code)
	// Output:
	// hello from the container
	// exit code 0
}
