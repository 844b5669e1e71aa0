package main

import (
	"fmt"
	"os"
	"strings"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func namespaceCases() []suiteCase {
	return []suiteCase{
		{"shared", "two containers of a pod: one network, IPC, host name", true, shared},
		{"pod_pid", "a pod with one process namespace", true, podPID},
		{"target_pid", "a container in another's process namespace", true, targetPID},
		{"host", "host network, processes and IPC", true, hostNamespaces},
		{"user_namespace", "a pod with a user namespace", true, userNamespace},
		{"host_name", "host name, resolver, sysctls", true, hostName},
	}
}

func namespaces(o *cri.NamespaceOption) podOption {
	return func(c *cri.PodSandboxConfig) {
		c.Linux.SecurityContext.NamespaceOptions = o
		if o.Network == cri.NamespaceMode_NODE {
			c.Hostname = ""
		}
	}
}

func shared(l *lab) {
	p := l.pod()
	a, b := l.run(p, "a", forever()), l.run(p, "b", forever())
	for _, kind := range []string{"net", "ipc", "uts"} {
		eq(l, kind, l.ns(l.pid(a), kind), l.ns(l.pid(b), kind))
	}
	for _, kind := range []string{"pid", "mnt"} {
		if l.ns(l.pid(a), kind) == l.ns(l.pid(b), kind) {
			l.fatalf("%s namespace is shared", kind)
		}
	}
	eq(l, "/dev/shm", l.out(a, "echo s >/dev/shm/s")+l.out(b, "cat /dev/shm/s"), "s")
	l.out(a, "mkdir /w; echo page >/w/index.html; httpd -p 8080 -h /w")
	l.soon("page", func() bool { return l.code(b, "wget -qO- http://127.0.0.1:8080/ | grep -q page") == 0 })
}

func podPID(l *lab) {
	if isCrio && os.WriteFile("/proc/self/oom_score_adj", []byte("-998"), 0) != nil {
		l.skipf("CRI-O's pod process has an OOM score of -998, which this machine withholds")
	}
	p := l.pod(namespaces(&cri.NamespaceOption{Pid: cri.NamespaceMode_POD}))
	a, b := l.run(p, "a", shell("sleep 4444")), l.run(p, "b", forever())
	eq(l, "pid namespace", l.ns(l.pid(a), "pid"), l.ns(l.pid(b), "pid"))
	if got := l.out(b, "ps"); !strings.Contains(got, "sleep 4444") || !strings.Contains(got, "sleep 1000000") {
		l.fatalf("not all is seen: %s", got)
	}
	// Its end must take all of its processes, though their namespace lives on.
	c := l.run(p, "c", shell("sleep 5551 & sleep 5552 & while :; do sleep 1; done"))
	l.soon("children", func() bool { return strings.Contains(l.out(b, "ps"), "sleep 5552") })
	l.stop(c, 0)
	if isCrio { // leaves them to the container's removal, whatever the runtime
		_, err := l.rt.RemoveContainer(l.ctx, &cri.RemoveContainerRequest{ContainerId: c})
		l.ok("RemoveContainer", err)
	}
	l.soon("end of the children", func() bool { return !strings.Contains(l.out(b, "ps"), "sleep 555") })
}

func targetPID(l *lab) {
	p := l.pod()
	a := l.run(p, "a", forever())
	b := l.run(p, "b", forever(), func(c *cri.ContainerConfig) {
		c.Linux.SecurityContext.NamespaceOptions = &cri.NamespaceOption{Pid: cri.NamespaceMode_TARGET, TargetId: a}
	})
	eq(l, "pid namespace", l.ns(l.pid(b), "pid"), l.ns(l.pid(a), "pid"))
	l.stop(b, 0)
	eq(l, "the other", l.status(a).State, cri.ContainerState_CONTAINER_RUNNING)
}

func hostNamespaces(l *lab) {
	all := cri.NamespaceMode_NODE
	id := l.run(l.pod(namespaces(&cri.NamespaceOption{Network: all, Pid: all, Ipc: all})), "main", forever())
	for _, kind := range []string{"net", "pid", "ipc"} {
		eq(l, kind, l.ns(l.pid(id), kind), l.ns("self", kind))
	}
	pid := l.pid(id)
	l.stop(id, 0)
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		l.fatalf("process %d is left", pid)
	}
}

func userNamespace(l *lab) {
	ids := []*cri.IDMapping{{HostId: 200000, ContainerId: 0, Length: 65536}}
	p := l.pod(namespaces(&cri.NamespaceOption{Pid: cri.NamespaceMode_CONTAINER, UsernsOptions: &cri.UserNamespace{Mode: cri.NamespaceMode_POD, Uids: ids, Gids: ids}}))
	id := l.run(p, "main", forever())
	eq(l, "uid_map", strings.Join(strings.Fields(l.out(id, "cat /proc/self/uid_map")), " "), "0 200000 65536")
	eq(l, "uid", l.out(id, "id -u; touch /x && stat -c %u /x"), "0\n0")
	st, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.pid(id)))
	l.ok("status", err)
	if !strings.Contains(string(st), "Uid:\t200000\t") {
		l.fatalf("the host sees another user: %s", st)
	}
	b := l.run(p, "b", forever())
	eq(l, "user namespace", l.ns(l.pid(b), "user"), l.ns(l.pid(id), "user"))
}

func hostName(l *lab) {
	p := l.pod(func(c *cri.PodSandboxConfig) {
		c.Hostname = "chosen"
		c.DnsConfig = &cri.DNSConfig{Servers: []string{"10.9.8.7"}, Searches: []string{"example.org"}}
		c.Linux.Sysctls = map[string]string{"net.ipv4.ip_unprivileged_port_start": "9", "kernel.shm_rmid_forced": "1"}
	})
	id := l.run(p, "main", forever())
	eq(l, "host name", l.out(id, "hostname; echo $HOSTNAME"), "chosen\nchosen")
	if got := l.out(id, "cat /etc/resolv.conf"); !strings.Contains(got, "10.9.8.7") || !strings.Contains(got, "example.org") {
		l.fatalf("resolv.conf: %s", got)
	}
	eq(l, "sysctls", l.out(id, "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced"), "9\n1")
}
