package main

import (
	"fmt"
	"os"
	"strings"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func resourceCases() []suiteCase {
	return []suiteCase{
		{"limits", "limits: memory, cpu, cpuset", true, limits},
		{"update", "limits changed while it runs, and before", true, update},
		{"oom", "out of memory: OOMKilled", true, outOfMemory},
		{"oom_score", "oom score", false, oomScore},
		{"stats", "statistics of containers and pods", true, stats},
		{"cgroup_parent", "groups below the pod's", true, cgroupParent},
	}
}

func resources(r *cri.LinuxContainerResources) option {
	return func(c *cri.ContainerConfig) { c.Linux.Resources = r }
}

// cpu reads quota and period.
func (l *lab) cpu(id string) string {
	v1 := l.knob(id, "cpu.cfs_quota_us", "cpu.max")
	if strings.Contains(v1, " ") {
		return v1
	}
	return v1 + " " + l.knob(id, "cpu.cfs_period_us", "")
}

func limits(l *lab) {
	id := l.run(l.pod(), "main", forever(), resources(&cri.LinuxContainerResources{
		CpuPeriod: 100000, CpuQuota: 50000, CpuShares: 512, MemoryLimitInBytes: 64 << 20, CpusetCpus: "0"}))
	eq(l, "memory", l.knob(id, "memory.limit_in_bytes", "memory.max"), "67108864")
	eq(l, "cpu", l.cpu(id), "50000 100000")
	eq(l, "cpuset", l.knob(id, "cpuset.cpus", "cpuset.cpus"), "0")
	eq(l, "as the container sees it", l.out(id, "nproc"), "1")
}

func update(l *lab) {
	p := l.pod()
	change := &cri.LinuxContainerResources{CpuPeriod: 100000, CpuQuota: 80000, MemoryLimitInBytes: 128 << 20}
	first := resources(&cri.LinuxContainerResources{CpuPeriod: 100000, CpuQuota: 50000, MemoryLimitInBytes: 64 << 20})
	running := l.run(p, "running", forever(), first)
	created := l.create(p, "created", forever(), first)
	for _, id := range []string{running, created} {
		_, err := l.rt.UpdateContainerResources(l.ctx, &cri.UpdateContainerResourcesRequest{ContainerId: id, Linux: change})
		l.ok("UpdateContainerResources", err)
	}
	l.start(created)
	_, err := l.rt.UpdateContainerResources(l.ctx, &cri.UpdateContainerResourcesRequest{ContainerId: running, Linux: &cri.LinuxContainerResources{CpusetCpus: "0"}})
	l.ok("UpdateContainerResources", err)
	eq(l, "cpuset", l.knob(running, "cpuset.cpus", "cpuset.cpus"), "0")
	for _, id := range []string{running, created} {
		eq(l, "memory", l.knob(id, "memory.limit_in_bytes", "memory.max"), "134217728")
		eq(l, "cpu", l.cpu(id), "80000 100000")
	}
}

func outOfMemory(l *lab) {
	id := l.run(l.pod(), "main", shell("x=a; while :; do x=$x$x; done"), resources(&cri.LinuxContainerResources{MemoryLimitInBytes: 16 << 20}))
	eq(l, "exit code", l.ended(id).ExitCode, 137)
	// The engine may learn of the end before it learns of the reason.
	l.soon("the reason", func() bool { return l.status(id).Reason == "OOMKilled" })
}

func oomScore(l *lab) {
	id := l.run(l.pod(), "main", forever(), resources(&cri.LinuxContainerResources{OomScoreAdj: 555}))
	eq(l, "score", l.out(id, "cat /proc/1/oom_score_adj"), "555")
	eq(l, "score of an exec", l.out(id, "cat /proc/self/oom_score_adj"), "555")
}

func stats(l *lab) {
	p := l.pod()
	id := l.run(p, "main", forever(), resources(&cri.LinuxContainerResources{MemoryLimitInBytes: 64 << 20}))
	l.soon("figures", func() bool {
		r, err := l.rt.ContainerStats(l.ctx, &cri.ContainerStatsRequest{ContainerId: id})
		l.ok("ContainerStats", err)
		return r.Stats.GetMemory().GetUsageBytes().GetValue() > 0 && r.Stats.GetCpu().GetUsageCoreNanoSeconds().GetValue() > 0
	})
	list, err := l.rt.ListContainerStats(l.ctx, &cri.ListContainerStatsRequest{Filter: &cri.ContainerStatsFilter{PodSandboxId: p.id}})
	l.ok("ListContainerStats", err)
	eq(l, "containers", len(list.Stats), 1)
	r, err := l.rt.PodSandboxStats(l.ctx, &cri.PodSandboxStatsRequest{PodSandboxId: p.id})
	l.ok("PodSandboxStats", err)
	// CRI-O has no figures of a pod's own on v1.
	if r.Stats.GetLinux().GetMemory() == nil && (!isCrio || isV2) || len(r.Stats.GetLinux().GetContainers()) != 1 {
		l.fatalf("of the pod: %v", r.Stats)
	}
}

func cgroupParent(l *lab) {
	p := l.pod(func(c *cri.PodSandboxConfig) { c.Linux.CgroupParent = parent("kubepods", "burstable", "pod1") })
	id := l.run(p, "main", forever())
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", l.pid(id)))
	l.ok("cgroup", err)
	if want := p.config.Linux.CgroupParent + "/" + group(id); !strings.Contains(string(b), want) {
		l.fatalf("no group %s in %s", want, b)
	}
}
