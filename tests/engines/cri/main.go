// Command cri-suite drives a CRI service, containerd's or CRI-O, as a kubelet would, one case a run.
//
//	cri-suite list         the cases: function, title, "core" or nothing, separated by tabs
//	cri-suite case NAME    runs one; status 0 passed, 1 failed ("FAIL: ..." on stderr), 77 skipped
//	cri-suite clean        removes every pod
//	cri-suite keep         makes a pod with a container and prints their ids
//	cri-suite kept POD ID  looks at the two again
//
// CRI_ENDPOINT is where the service listens; containerd's own place without it. CRI_CGROUP is `systemd` where the
// service uses that driver; LAB_CGROUP is `v2` where all controllers are there.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	containerd = "unix:///run/containerd/containerd.sock"
	crio       = "unix:///run/crio/crio.sock"
)

// endpoint is one of the two, which differ in what CRI leaves open.
var (
	endpoint = cmp.Or(os.Getenv("CRI_ENDPOINT"), containerd)
	isCrio   = endpoint == crio
	isV2     = os.Getenv("LAB_CGROUP") == "v2"
)

// suiteCase is one case; core ones also run in a short run.
type suiteCase struct {
	name, title string
	core        bool
	run         func(*lab)
}

func cases() []suiteCase {
	return append(append(append(lifecycleCases(), execCases()...), streamCases()...), append(namespaceCases(), append(securityCases(), resourceCases()...)...)...)
}

func main() {
	if len(os.Args) < 2 {
		os.Exit(2)
	}
	if os.Args[1] == "list" {
		for _, c := range cases() {
			core := ""
			if c.core {
				core = "core"
			}
			fmt.Printf("%s\t%s\t%s\n", c.name, c.title, core)
		}
		return
	}
	l := connect()
	defer l.cancel()
	switch {
	case os.Args[1] == "clean":
		l.clean()
	case os.Args[1] == "keep":
		l.name = "keep"
		p := l.pod()
		c := l.run(p, "main", forever())
		l.ready(c)
		fmt.Println(p.id, c)
	case os.Args[1] == "kept" && len(os.Args) == 4:
		l.kept(os.Args[2], os.Args[3])
	case os.Args[1] == "case" && len(os.Args) == 3:
		l.runCase(os.Args[2])
	default:
		os.Exit(2)
	}
}

func (l *lab) runCase(name string) {
	for _, c := range cases() {
		if c.name == name {
			l.name = name
			c.run(l)
			return
		}
	}
	l.fatalf("no case %q", name)
}

// lab is a connection and the case that uses it. Its methods end the program when something is wrong.
type lab struct {
	ctx    context.Context
	cancel context.CancelFunc
	rt     cri.RuntimeServiceClient
	images cri.ImageServiceClient
	name   string
	pods   int
}

func connect() *lab {
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		os.Exit(1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	return &lab{ctx: ctx, cancel: cancel, rt: cri.NewRuntimeServiceClient(conn), images: cri.NewImageServiceClient(conn)}
}

func (l *lab) fatalf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "FAIL: "+format+"\n", args...)
	os.Exit(1)
}

func (l *lab) skipf(format string, args ...any) {
	if err := os.WriteFile(os.Getenv("SKIP_FILE"), []byte(fmt.Sprintf(format, args...)), 0o644); err != nil {
		l.fatalf("%v", err)
	}
	os.Exit(77)
}

// ok ends the case if err is not nil.
func (l *lab) ok(what string, err error) {
	if err != nil {
		l.fatalf("%s: %v", what, err)
	}
}

// eq ends the case if got is not want.
func eq[T comparable](l *lab, what string, got, want T) {
	if got != want {
		l.fatalf("%s: got %q, want %q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}

// soon asks until ok says yes, for at most 20 seconds.
func (l *lab) soon(what string, ok func() bool) {
	end := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(end) {
			l.fatalf("not within the time: %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
