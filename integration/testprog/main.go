// Command testprog is the static program that cases run inside containers (and as a hook): it reports facts as JSON,
// tries operations and says their errno, or holds still and says which signals arrive.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

// ownFDs is taken before anything here opens a file.
var ownFDs = fdLinks()

func init() { runtime.LockOSThread() } // facts are those of the main thread

func main() {
	if len(os.Args) < 2 {
		fatal("testprog COMMAND [ARG...]")
	}
	args := os.Args[2:]
	switch os.Args[1] {
	case "facts":
		printJSON(gather())
	case "try":
		printJSON(tryAll(args))
	case "stat":
		printJSON(statAll(args))
	case "tty":
		printJSON(ttyFacts())
	case "hold":
		hold(args)
	case "hook":
		hook(args)
	case "notify":
		notify(args)
	case "spawn":
		spawn(args)
	case "alloc":
		alloc(args)
	case "exit":
		exit(args)
	case "fds":
		printJSON(ownFDs)
	case "exewatch":
		exeWatch()
	case "ptracer":
		ptracer()
	case "procwatch":
		procWatch()
	case "zombies":
		zombies(args)
	case "raceswap":
		raceSwap(args)
	default:
		fatal("unknown command " + os.Args[1])
	}
}

func printJSON(v any) {
	data, err := json.Marshal(v)
	if err != nil {
		fatal(err.Error())
	}
	os.Stdout.Write(append(data, '\n'))
}

func fatal(msg string) {
	fmt.Fprintln(os.Stderr, "testprog: "+msg)
	os.Exit(99)
}

func must(err error) {
	if err != nil {
		fatal(err.Error())
	}
}
