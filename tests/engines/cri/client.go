package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const image = "localhost/box:latest"

// pod is a sandbox that runs.
type pod struct {
	id     string
	config *cri.PodSandboxConfig
}

// podOption and option change the configuration of a pod and of a container.
type (
	podOption func(*cri.PodSandboxConfig)
	option    func(*cri.ContainerConfig)
)

func (l *lab) podConfig(opts ...podOption) *cri.PodSandboxConfig {
	l.pods++
	name := fmt.Sprintf("%s-%d", strings.ReplaceAll(l.name, "_", "-"), l.pods)
	c := &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Uid: fmt.Sprintf("%s-%d", name, os.Getpid()), Namespace: "default"},
		Hostname:     name,
		LogDirectory: "/tmp/cri-logs/" + name,
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent:    parent("pod" + strings.ReplaceAll(name, "-", "_")),
			SecurityContext: &cri.LinuxSandboxSecurityContext{NamespaceOptions: &cri.NamespaceOption{Pid: cri.NamespaceMode_CONTAINER}},
		},
	}
	for _, o := range opts {
		o(c)
	}
	return c
}

func (l *lab) pod(opts ...podOption) *pod {
	c := l.podConfig(opts...)
	r, err := l.rt.RunPodSandbox(l.ctx, &cri.RunPodSandboxRequest{Config: c})
	l.ok("RunPodSandbox", err)
	return &pod{r.PodSandboxId, c}
}

// shell is a command line for the container's shell.
func shell(script string) []string { return []string{"sh", "-c", script} }

// forever runs until it is told to stop.
func forever() []string {
	return shell("trap 'exit 0' TERM; touch /dev/shm/ready; while :; do sleep 0.2; done")
}

func (l *lab) create(p *pod, name string, command []string, opts ...option) string {
	id, err := l.tryCreate(p, name, command, opts...)
	l.ok("CreateContainer", err)
	return id
}

func (l *lab) tryCreate(p *pod, name string, command []string, opts ...option) (string, error) {
	c := &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: name},
		Image:    &cri.ImageSpec{Image: image},
		Command:  command,
		LogPath:  name + ".log",
		Linux: &cri.LinuxContainerConfig{
			Resources:       &cri.LinuxContainerResources{},
			SecurityContext: &cri.LinuxContainerSecurityContext{NamespaceOptions: p.config.Linux.SecurityContext.NamespaceOptions},
		},
	}
	for _, o := range opts {
		o(c)
	}
	r, err := l.rt.CreateContainer(l.ctx, &cri.CreateContainerRequest{PodSandboxId: p.id, Config: c, SandboxConfig: p.config})
	return r.GetContainerId(), err
}

func (l *lab) start(id string) {
	_, err := l.rt.StartContainer(l.ctx, &cri.StartContainerRequest{ContainerId: id})
	l.ok("StartContainer", err)
}

func (l *lab) run(p *pod, name string, command []string, opts ...option) string {
	id := l.create(p, name, command, opts...)
	l.start(id)
	return id
}

// ready waits until a container of forever handles signals.
func (l *lab) ready(id string) {
	l.soon("readiness", func() bool { return l.code(id, "test -e /dev/shm/ready") == 0 })
}

func (l *lab) status(id string) *cri.ContainerStatus {
	r, err := l.rt.ContainerStatus(l.ctx, &cri.ContainerStatusRequest{ContainerId: id})
	l.ok("ContainerStatus", err)
	return r.Status
}

// pid of a container, as this lab sees it.
func (l *lab) pid(id string) int {
	r, err := l.rt.ContainerStatus(l.ctx, &cri.ContainerStatusRequest{ContainerId: id, Verbose: true})
	l.ok("ContainerStatus", err)
	var info struct{ Pid int }
	l.ok("info", json.Unmarshal([]byte(r.Info["info"]), &info))
	return info.Pid
}

// ended waits for the end of a container.
func (l *lab) ended(id string) *cri.ContainerStatus {
	l.soon("end of the container", func() bool { return l.status(id).State == cri.ContainerState_CONTAINER_EXITED })
	return l.status(id)
}

func (l *lab) stop(id string, seconds int64) {
	_, err := l.rt.StopContainer(l.ctx, &cri.StopContainerRequest{ContainerId: id, Timeout: seconds})
	l.ok("StopContainer", err)
}

func (l *lab) exec(id string, command ...string) (stdout, stderr string, code int32) {
	r, err := l.rt.ExecSync(l.ctx, &cri.ExecSyncRequest{ContainerId: id, Cmd: command, Timeout: 20})
	l.ok("ExecSync", err)
	return string(r.Stdout), string(r.Stderr), r.ExitCode
}

// out is what a command in the container prints, without the last newline; the command must succeed.
func (l *lab) out(id, script string) string {
	stdout, stderr, code := l.exec(id, "sh", "-c", script)
	if code != 0 {
		l.fatalf("%s: status %d: %s", script, code, stderr)
	}
	return strings.TrimSuffix(stdout, "\n")
}

// code is the status of a command in the container.
func (l *lab) code(id, script string) int32 {
	_, _, code := l.exec(id, "sh", "-c", script)
	return code
}

// log is what a container wrote, in the order and form of the log file.
func (l *lab) log(p *pod, name string) []string {
	b, err := os.ReadFile(p.config.LogDirectory + "/" + name + ".log")
	l.ok("log", err)
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// ns names the namespace of a process.
func (l *lab) ns(pid any, kind string) string {
	s, err := os.Readlink(fmt.Sprintf("/proc/%v/ns/%s", pid, kind))
	l.ok("namespace", err)
	return s
}

// parent is the cgroup of these names, one below the other, as a kubelet writes it for the driver in use.
func parent(names ...string) string {
	if os.Getenv("CRI_CGROUP") != "systemd" {
		return "/engines/" + strings.Join(names, "/")
	}
	path, slice := "/engines.slice", "engines"
	for _, name := range names {
		slice += "-" + name
		path += "/" + slice + ".slice"
	}
	return path
}

// group is the name of a container's cgroup, below its pod's.
func group(id string) string {
	switch systemd := os.Getenv("CRI_CGROUP") == "systemd"; {
	case isCrio && systemd:
		return "crio-" + id + ".scope"
	case isCrio:
		return "crio-" + id
	case systemd:
		return "cri-containerd-" + id + ".scope"
	}
	return id
}

// beforeV2 says whether it is containerd 1, whose CRI service has less.
func (l *lab) beforeV2() bool {
	r, err := l.rt.Version(l.ctx, &cri.VersionRequest{})
	l.ok("Version", err)
	return r.RuntimeName == "containerd" && strings.HasPrefix(strings.TrimPrefix(r.RuntimeVersion, "v"), "1.")
}

// knob reads a control file of a container: on v1 of that controller, on v2 the other name.
func (l *lab) knob(id, v1, v2 string) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", l.pid(id)))
	l.ok("cgroup", err)
	controller, _, _ := strings.Cut(v1, ".")
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 {
			continue
		}
		path := "/sys/fs/cgroup" + f[2] + "/" + v2
		if !isV2 {
			path = "/sys/fs/cgroup/" + controller + f[2] + "/" + v1
		}
		if isV2 && f[1] == "" || !isV2 && f[1] == controller {
			value, err := os.ReadFile(path)
			l.ok("control file", err)
			return strings.TrimSpace(string(value))
		}
	}
	l.fatalf("no group of %s", controller)
	return ""
}

func (l *lab) clean() {
	r, err := l.rt.ListPodSandbox(l.ctx, &cri.ListPodSandboxRequest{})
	l.ok("ListPodSandbox", err)
	// A kubelet ends the containers first. CRI-O gives those that it meets all the time that the call has.
	running, err := l.rt.ListContainers(l.ctx, &cri.ListContainersRequest{})
	l.ok("ListContainers", err)
	for _, c := range running.Containers {
		l.stop(c.Id, 0)
	}
	for _, p := range r.Items {
		l.remove(p.Id)
	}
}

func (l *lab) remove(id string) {
	_, err := l.rt.StopPodSandbox(l.ctx, &cri.StopPodSandboxRequest{PodSandboxId: id})
	l.ok("StopPodSandbox", err)
	_, err = l.rt.RemovePodSandbox(l.ctx, &cri.RemovePodSandboxRequest{PodSandboxId: id})
	l.ok("RemovePodSandbox", err)
}

// kept looks at what `keep` made, after the engine came back.
func (l *lab) kept(pod, id string) {
	r, err := l.rt.PodSandboxStatus(l.ctx, &cri.PodSandboxStatusRequest{PodSandboxId: pod})
	l.ok("PodSandboxStatus", err)
	eq(l, "pod", r.Status.State, cri.PodSandboxState_SANDBOX_READY)
	eq(l, "container", l.status(id).State, cri.ContainerState_CONTAINER_RUNNING)
	eq(l, "exec", l.out(id, "echo again"), "again")
	l.stop(id, 5)
	eq(l, "exit code", l.ended(id).ExitCode, 0)
}
