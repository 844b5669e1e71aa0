package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func lifecycleCases() []suiteCase {
	return []suiteCase{
		{"status", "ready; what the runtime says that it can do", true, runtimeStatus},
		{"pod_life", "pod: ready, an address, stopped, removed", true, podLife},
		{"container_life", "container: created, running, exited, removed", true, containerLife},
		{"container_failed", "container: exit code and reason", true, containerFailed},
		{"start_error", "a missing program: StartError, 128", true, startError},
		{"log", "log: both streams, in CRI's form", true, logForm},
		{"tty", "a container with a terminal", false, terminal},
		{"stop_term", "stop: SIGTERM, the container's own status", true, stopTerm},
		{"stop_kill", "stop: SIGKILL after the grace period", true, stopKill},
		{"restart", "restarts: three attempts in one pod", false, restarts},
		{"pod_stop", "stopping the pod ends its containers", true, podStop},
		{"many_pods", "8 pods at once", false, manyPods},
		{"events", "events of a container's life", false, lifeEvents},
		{"checkpoint", "checkpoint of a running container", false, checkpoint},
	}
}

func runtimeStatus(l *lab) {
	r, err := l.rt.Status(l.ctx, &cri.StatusRequest{})
	l.ok("Status", err)
	for _, c := range r.Status.Conditions {
		if c.Type == "RuntimeReady" || c.Type == "NetworkReady" {
			eq(l, c.Type, c.Status, true)
		}
	}
	if l.beforeV2() { // tells no features
		return
	}
	for _, h := range r.RuntimeHandlers {
		if h.Name != "under-test" {
			continue
		}
		eq(l, "RecursiveReadOnlyMounts", h.Features.RecursiveReadOnlyMounts, true)
		eq(l, "UserNamespaces", h.Features.UserNamespaces, true)
		return
	}
	l.fatalf("no handler under-test: %v", r.RuntimeHandlers)
}

func podLife(l *lab) {
	p := l.pod()
	r, err := l.rt.PodSandboxStatus(l.ctx, &cri.PodSandboxStatusRequest{PodSandboxId: p.id})
	l.ok("PodSandboxStatus", err)
	eq(l, "state", r.Status.State, cri.PodSandboxState_SANDBOX_READY)
	if net.ParseIP(r.Status.Network.GetIp()) == nil {
		l.fatalf("no address: %v", r.Status.Network)
	}
	_, err = l.rt.StopPodSandbox(l.ctx, &cri.StopPodSandboxRequest{PodSandboxId: p.id})
	l.ok("StopPodSandbox", err)
	r, err = l.rt.PodSandboxStatus(l.ctx, &cri.PodSandboxStatusRequest{PodSandboxId: p.id})
	l.ok("PodSandboxStatus", err)
	eq(l, "state", r.Status.State, cri.PodSandboxState_SANDBOX_NOTREADY)
	l.remove(p.id)
	root := "/sys/fs/cgroup"
	if !isV2 {
		root += "/pids"
	}
	if _, err = os.Stat(root + p.config.Linux.CgroupParent + "/" + group(p.id)); err == nil {
		l.fatalf("its group is left")
	}
}

func containerLife(l *lab) {
	p := l.pod()
	id := l.create(p, "main", forever())
	eq(l, "state", l.status(id).State, cri.ContainerState_CONTAINER_CREATED)
	l.start(id)
	eq(l, "state", l.status(id).State, cri.ContainerState_CONTAINER_RUNNING)
	l.ready(id)
	l.stop(id, 10)
	s := l.status(id)
	eq(l, "state", s.State, cri.ContainerState_CONTAINER_EXITED)
	eq(l, "exit code", s.ExitCode, 0)
	eq(l, "reason", s.Reason, "Completed")
	if !(s.CreatedAt < s.StartedAt && s.StartedAt < s.FinishedAt) {
		l.fatalf("times: %v", s)
	}
	_, err := l.rt.RemoveContainer(l.ctx, &cri.RemoveContainerRequest{ContainerId: id})
	l.ok("RemoveContainer", err)
}

func containerFailed(l *lab) {
	s := l.ended(l.run(l.pod(), "main", shell("exit 7")))
	eq(l, "exit code", s.ExitCode, 7)
	eq(l, "reason", s.Reason, "Error")
}

func startError(l *lab) {
	p := l.pod()
	if isCrio { // calls the runtime's create already when the container is made
		_, err := l.tryCreate(p, "main", []string{"nosuchprogram"})
		l.isNotFound("CreateContainer", err)
		return
	}
	id := l.create(p, "main", []string{"nosuchprogram"})
	_, err := l.rt.StartContainer(l.ctx, &cri.StartContainerRequest{ContainerId: id})
	l.isNotFound("StartContainer", err)
	s := l.status(id)
	eq(l, "reason", s.Reason, "StartError")
	eq(l, "exit code", s.ExitCode, 128)
}

// isNotFound wants the error of a program that is not there, in the words that a kubelet shows.
func (l *lab) isNotFound(call string, err error) {
	if err == nil || !strings.Contains(err.Error(), "executable file not found in $PATH") {
		l.fatalf("%s: %v", call, err)
	}
}

func logForm(l *lab) {
	p := l.pod()
	l.ended(l.run(p, "main", shell("echo one; echo two >&2; printf part")))
	for _, want := range []string{" stdout F one", " stderr F two", " stdout P part"} {
		if !strings.Contains(strings.Join(l.log(p, "main"), "\n"), want) {
			l.fatalf("no %q in %q", want, l.log(p, "main"))
		}
	}
}

func terminal(l *lab) {
	p := l.pod()
	l.ended(l.run(p, "main", shell("tty; test -t 0 && echo yes"), func(c *cri.ContainerConfig) { c.Tty, c.Stdin = true, true }))
	if got := strings.Join(l.log(p, "main"), "\n"); !strings.Contains(got, "/dev/pts/0") || !strings.Contains(got, "yes") {
		l.fatalf("log: %q", got)
	}
}

func stopTerm(l *lab) {
	id := l.run(l.pod(), "main", shell("trap 'exit 5' TERM; touch /ready; while :; do sleep 0.1; done"))
	l.soon("ready", func() bool { return l.code(id, "test -e /ready") == 0 })
	l.stop(id, 10)
	eq(l, "exit code", l.status(id).ExitCode, 5)
}

func stopKill(l *lab) {
	id := l.run(l.pod(), "main", shell("trap '' TERM; touch /ready; while :; do sleep 1; done"))
	l.soon("ready", func() bool { return l.code(id, "test -e /ready") == 0 })
	l.stop(id, 1)
	eq(l, "exit code", l.status(id).ExitCode, 137)
}

func restarts(l *lab) {
	p := l.pod()
	for i := range 3 {
		id := l.run(p, "main", shell(fmt.Sprintf("exit %d", i)), func(c *cri.ContainerConfig) { c.Metadata.Attempt = uint32(i) })
		eq(l, "exit code", l.ended(id).ExitCode, int32(i))
	}
}

func podStop(l *lab) {
	p := l.pod()
	id := l.run(p, "main", shell("trap '' TERM; while :; do sleep 1; done"))
	pid := l.pid(id)
	if isCrio { // kills when the time of the call is nearly over, and may be too late to say so
		ctx, cancel := context.WithTimeout(l.ctx, 10*time.Second)
		_, _ = l.rt.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: p.id})
		cancel()
	}
	l.remove(p.id)
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		l.fatalf("process %d is left", pid)
	}
}

func manyPods(l *lab) {
	var all sync.WaitGroup
	for range 8 {
		c := l.podConfig()
		all.Go(func() {
			r, err := l.rt.RunPodSandbox(l.ctx, &cri.RunPodSandboxRequest{Config: c})
			l.ok("RunPodSandbox", err)
			p := &pod{r.PodSandboxId, c}
			id := l.run(p, "main", forever())
			eq(l, "host name", l.out(id, "hostname"), c.Hostname)
			l.remove(p.id)
		})
	}
	all.Wait()
}

func lifeEvents(l *lab) {
	stream, err := l.rt.GetContainerEvents(l.ctx, &cri.GetEventsRequest{})
	l.ok("GetContainerEvents", err)
	got := make(chan cri.ContainerEventType, 100)
	go func() {
		for {
			e, err := stream.Recv()
			if err != nil {
				close(got)
				return
			}
			got <- e.ContainerEventType
		}
	}()
	l.ended(l.run(l.pod(), "main", shell("exit 0")))
	want := []cri.ContainerEventType{cri.ContainerEventType_CONTAINER_CREATED_EVENT, cri.ContainerEventType_CONTAINER_STARTED_EVENT, cri.ContainerEventType_CONTAINER_STOPPED_EVENT}
	for e := range got {
		if e == want[0] {
			want = want[1:]
		}
		if len(want) == 0 {
			return
		}
	}
	l.fatalf("the events ended before %v", want)
}

func checkpoint(l *lab) {
	if _, err := os.Stat("/usr/sbin/criu"); err != nil {
		l.skipf("no criu here")
	}
	if l.beforeV2() {
		l.skipf("containerd 1 makes no checkpoints by CRI")
	}
	id := l.run(l.pod(), "main", shell("while :; do sleep 0.2; done"))
	file := "/tmp/" + l.name + ".tar"
	_, err := l.rt.CheckpointContainer(l.ctx, &cri.CheckpointContainerRequest{ContainerId: id, Location: file, Timeout: 60})
	l.ok("CheckpointContainer", err)
	if st, err := os.Stat(file); err != nil || st.Size() == 0 {
		l.fatalf("no archive: %v", err)
	}
	eq(l, "state", l.status(id).State, cri.ContainerState_CONTAINER_RUNNING)
	eq(l, "exec", l.out(id, "echo on"), "on")
}
