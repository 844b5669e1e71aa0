package main

import (
	"fmt"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func execCases() []suiteCase {
	return []suiteCase{
		{"exec", "exec: output, errors, status, environment", true, execPlain},
		{"exec_absent", "exec: a missing program", true, execAbsent},
		{"exec_timeout", "exec: cut off after its time, with all it started", true, execTimeout},
		{"exec_probes", "exec: 40 probes one after another", true, execProbes},
		{"exec_parallel", "exec: 10 probes at once, while the container ends", false, execParallel},
	}
}

func execPlain(l *lab) {
	id := l.run(l.pod(), "main", forever(), func(c *cri.ContainerConfig) {
		c.Envs = []*cri.KeyValue{{Key: "GREETING", Value: "hi there"}}
		c.WorkingDir = "/srv"
	})
	stdout, stderr, code := l.exec(id, "sh", "-c", "echo $GREETING; pwd; echo bad >&2; exit 3")
	eq(l, "stdout", stdout, "hi there\n/srv\n")
	eq(l, "stderr", stderr, "bad\n")
	eq(l, "status", code, 3)
	eq(l, "a lot of output", len(l.out(id, "head -c 300000 /dev/zero | tr '\\0' x")), 300000)
}

func execAbsent(l *lab) {
	id := l.run(l.pod(), "main", forever())
	_, err := l.rt.ExecSync(l.ctx, &cri.ExecSyncRequest{ContainerId: id, Cmd: []string{"nosuchprogram"}, Timeout: 5})
	l.isNotFound("ExecSync", err)
	eq(l, "state", l.status(id).State, cri.ContainerState_CONTAINER_RUNNING)
}

func execTimeout(l *lab) {
	id := l.run(l.pod(), "main", forever())
	r, err := l.rt.ExecSync(l.ctx, &cri.ExecSyncRequest{ContainerId: id, Cmd: shell("sleep 4321"), Timeout: 1})
	if isCrio {
		l.ok("ExecSync", err)
		eq(l, "status", r.ExitCode, -1)
	} else if status.Code(err) != codes.DeadlineExceeded {
		l.fatalf("ExecSync: %v", err)
	}
	l.soon("end of what it started", func() bool { return !strings.Contains(l.out(id, "ps"), "sleep 4321") })
}

func execProbes(l *lab) {
	id := l.run(l.pod(), "main", forever())
	for i := range 40 {
		eq(l, "status", l.code(id, fmt.Sprintf("exit %d", i%3)), int32(i%3))
	}
	// Nothing of the probes stays in the container.
	if got := strings.Count(l.out(id, "ls /proc | grep '^[0-9]'"), "\n"); got > 5 {
		l.fatalf("%d processes are in the container", got)
	}
}

func execParallel(l *lab) {
	id := l.run(l.pod(), "main", forever())
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() { eq(l, "status", l.code(id, fmt.Sprintf("exit %d", i)), int32(i)) })
	}
	all.Wait()
	// Those that meet the container's end fail in some way, and none hangs.
	for range 10 {
		all.Go(func() {
			_, _ = l.rt.ExecSync(l.ctx, &cri.ExecSyncRequest{ContainerId: id, Cmd: shell("sleep 0.2"), Timeout: 10})
		})
	}
	l.stop(id, 0)
	all.Wait()
	l.ended(id)
}
