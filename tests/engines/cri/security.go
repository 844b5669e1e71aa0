package main

import (
	mathbits "math/bits"
	"os"
	"os/exec"
	"strconv"
	"strings"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func securityCases() []suiteCase {
	return []suiteCase{
		{"users", "runAsUser, runAsGroup, supplementary groups, by name", true, users},
		{"capabilities", "capabilities: default, added, dropped", true, capabilities},
		{"privileged", "privileged", true, privileged},
		{"no_new_privs", "allowPrivilegeEscalation: false", true, noNewPrivs},
		{"read_only", "a read-only root", true, readOnly},
		{"seccomp", "seccomp: RuntimeDefault, Unconfined, Localhost", true, seccompProfiles},
		{"masked", "masked and read-only paths, and none", true, masked},
		{"mounts", "mounts: rw, ro, recursively ro", true, mounts},
		{"propagation", "mount propagation: none, from the host, both ways", true, propagation},
		{"devices", "devices", true, devices},
		{"cdi", "a device of CDI: node, environment, mount", true, cdiDevice},
	}
}

func security(change func(*cri.LinuxContainerSecurityContext)) option {
	return func(c *cri.ContainerConfig) { change(c.Linux.SecurityContext) }
}

// field reads a line of /proc/1/status in the container.
func (l *lab) field(id, name string) string {
	return l.out(id, "sed -n 's/^"+name+":.//p' /proc/1/status")
}

func users(l *lab) {
	p := l.pod()
	id := l.run(p, "number", forever(), security(func(s *cri.LinuxContainerSecurityContext) {
		s.RunAsUser, s.RunAsGroup, s.SupplementalGroups = &cri.Int64Value{Value: 1000}, &cri.Int64Value{Value: 2000}, []int64{3000}
	}))
	eq(l, "ids", l.out(id, "id -u; id -g; id -G"), "1000\n2000\n2000 44 3000")
	id = l.run(p, "name", forever(), security(func(s *cri.LinuxContainerSecurityContext) { s.RunAsUsername = "user" }))
	eq(l, "ids", l.out(id, "id -u; id -g; echo $HOME"), "1000\n1000\n/home/user")
}

func capabilities(l *lab) {
	p := l.pod()
	byDefault := "00000000a80425fb"
	if isCrio {
		byDefault = "00000000000005fb"
	}
	eq(l, "default", l.field(l.run(p, "default", forever()), "CapEff"), byDefault)
	id := l.run(p, "changed", forever(), security(func(s *cri.LinuxContainerSecurityContext) {
		s.Capabilities = &cri.Capability{DropCapabilities: []string{"ALL"}, AddCapabilities: []string{"NET_ADMIN"}}
	}))
	eq(l, "changed", l.field(id, "CapEff"), "0000000000001000")
	eq(l, "inheritable", l.field(id, "CapInh"), "0000000000000000")
}

func privileged(l *lab) {
	own, err := exec.Command("sed", "-n", `s/^CapBnd:\t//p`, "/proc/self/status").Output()
	l.ok("own capabilities", err)
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	l.ok("last capability", err)
	if isCrio && bits(l, string(own)) <= number(l, string(last)) {
		l.skipf("CRI-O gives a privileged container every capability, and this machine withholds some")
	}
	p := l.pod(func(c *cri.PodSandboxConfig) { c.Linux.SecurityContext.Privileged = true })
	id := l.run(p, "main", forever(), security(func(s *cri.LinuxContainerSecurityContext) { s.Privileged = true }))
	eq(l, "capabilities", l.field(id, "CapEff"), strings.TrimSpace(string(own)))
	eq(l, "mount", l.code(id, "mkdir /m && mount -t tmpfs t /m && test -c /dev/kmsg"), 0)
}

// number reads a decimal.
func number(l *lab, s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	l.ok("number", err)
	return n
}

// bits counts those of a hexadecimal.
func bits(l *lab, s string) int {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 16, 64)
	l.ok("number", err)
	return mathbits.OnesCount64(n)
}

func noNewPrivs(l *lab) {
	p := l.pod()
	id := l.run(p, "main", forever(), security(func(s *cri.LinuxContainerSecurityContext) { s.NoNewPrivs = true }))
	eq(l, "of process 1", l.field(id, "NoNewPrivs"), "1")
	eq(l, "of an exec", l.out(id, "sed -n 's/^NoNewPrivs:.//p' /proc/self/status"), "1")
}

func readOnly(l *lab) {
	id := l.run(l.pod(), "main", forever(), security(func(s *cri.LinuxContainerSecurityContext) { s.ReadonlyRootfs = true }))
	eq(l, "status", l.code(id, "touch /x"), 1)
	eq(l, "status", l.code(id, "touch /dev/shm/x"), 0)
}

func seccompProfiles(l *lab) {
	p := l.pod()
	profile := func(kind cri.SecurityProfile_ProfileType, file string) option {
		return security(func(s *cri.LinuxContainerSecurityContext) {
			s.Seccomp = &cri.SecurityProfile{ProfileType: kind, LocalhostRef: file}
		})
	}
	id := l.run(p, "default", forever(), profile(cri.SecurityProfile_RuntimeDefault, ""))
	eq(l, "default", l.field(id, "Seccomp"), "2")
	eq(l, "unshare", l.code(id, "unshare -U true"), 1)
	id = l.run(p, "unconfined", forever(), profile(cri.SecurityProfile_Unconfined, ""))
	eq(l, "unconfined", l.field(id, "Seccomp"), "0")
	file := "/tmp/own-profile.json"
	l.ok("profile", os.WriteFile(file, []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}`), 0o644))
	id = l.run(p, "localhost", forever(), profile(cri.SecurityProfile_Localhost, file))
	if _, stderr, _ := l.exec(id, "mkdir", "/x"); !strings.Contains(stderr, "No space left") {
		l.fatalf("mkdir: %q", stderr)
	}
}

func masked(l *lab) {
	p := l.pod()
	id := l.run(p, "masked", forever(), security(func(s *cri.LinuxContainerSecurityContext) {
		s.MaskedPaths, s.ReadonlyPaths = []string{"/proc/kcore", "/home", "/proc/absent"}, []string{"/proc/sys", "/srv"}
	}))
	eq(l, "masked", l.out(id, "cat /proc/kcore; ls /home"), "")
	eq(l, "read-only", l.code(id, "touch /srv/x"), 1)
	id = l.run(p, "plain", forever(), security(func(s *cri.LinuxContainerSecurityContext) { s.MaskedPaths, s.ReadonlyPaths = []string{}, []string{} }))
	eq(l, "none", l.code(id, "touch /srv/x"), 0)
}

func mount(c *cri.ContainerConfig, m *cri.Mount) { c.Mounts = append(c.Mounts, m) }

func mounts(l *lab) {
	dir, err := os.MkdirTemp("", "mounts")
	l.ok("folder", err)
	l.ok("folder", os.Mkdir(dir+"/sub", 0o755))
	l.ok("mount", exec.Command("mount", "-t", "tmpfs", "t", dir+"/sub").Run())
	old := l.beforeV2()
	id := l.run(l.pod(), "main", forever(), func(c *cri.ContainerConfig) {
		mount(c, &cri.Mount{HostPath: dir, ContainerPath: "/rw"})
		mount(c, &cri.Mount{HostPath: dir, ContainerPath: "/ro", Readonly: true})
		if !old {
			mount(c, &cri.Mount{HostPath: dir, ContainerPath: "/rro", Readonly: true, RecursiveReadOnly: true})
		}
	})
	eq(l, "rw", l.code(id, "touch /rw/x /rw/sub/x"), 0)
	eq(l, "ro", l.code(id, "touch /ro/x"), 1)
	eq(l, "ro, below", l.code(id, "touch /ro/sub/x"), 0)
	if !old {
		eq(l, "rro", l.code(id, "touch /rro/x"), 1)
		eq(l, "rro, below", l.code(id, "touch /rro/sub/x"), 1)
	}
	l.ok("umount", exec.Command("umount", dir+"/sub").Run())
}

func propagation(l *lab) {
	dir, err := os.MkdirTemp("", "propagation")
	l.ok("folder", err)
	l.ok("mount", exec.Command("sh", "-c", "mount -t tmpfs t "+dir+"; mount --make-shared "+dir+"; mkdir "+dir+"/later").Run())
	p := l.pod(func(c *cri.PodSandboxConfig) { c.Linux.SecurityContext.Privileged = true })
	id := l.run(p, "main", forever(), func(c *cri.ContainerConfig) {
		if isCrio { // as privileged it would have every capability
			c.Linux.SecurityContext.Capabilities = &cri.Capability{AddCapabilities: []string{"SYS_ADMIN"}}
			c.Linux.SecurityContext.Seccomp = &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Unconfined}
		} else {
			c.Linux.SecurityContext.Privileged = true
		}
		mount(c, &cri.Mount{HostPath: dir, ContainerPath: "/none"})
		mount(c, &cri.Mount{HostPath: dir, ContainerPath: "/in", Propagation: cri.MountPropagation_PROPAGATION_HOST_TO_CONTAINER})
		mount(c, &cri.Mount{HostPath: dir, ContainerPath: "/both", Propagation: cri.MountPropagation_PROPAGATION_BIDIRECTIONAL})
	})
	l.ok("mount", exec.Command("sh", "-c", "mount -t tmpfs t "+dir+"/later; touch "+dir+"/later/seen").Run())
	eq(l, "none", l.code(id, "test -e /none/later/seen"), 1)
	eq(l, "in", l.code(id, "test -e /in/later/seen"), 0)
	eq(l, "out", l.code(id, "mkdir /both/out && mount -t tmpfs t /both/out && touch /both/out/made"), 0)
	if _, err := os.Stat(dir + "/out/made"); err != nil {
		l.fatalf("a mount does not come out: %v", err)
	}
	l.ok("umount", exec.Command("umount", "-R", dir).Run())
}

func devices(l *lab) {
	id := l.run(l.pod(), "main", forever(), func(c *cri.ContainerConfig) {
		c.Devices = []*cri.Device{{HostPath: "/dev/fuse", ContainerPath: "/dev/myfuse", Permissions: "r"}}
	})
	eq(l, "number", l.out(id, "stat -c %t:%T /dev/myfuse"), "a:e5")
	eq(l, "read", l.code(id, "exec 3</dev/myfuse"), 0)
	eq(l, "write", l.code(id, "(exec 3<>/dev/myfuse)"), 1)
}

const cdiSpec = `{"cdiVersion": "0.6.0", "kind": "example.com/thing", "devices": [{"name": "one", "containerEdits": {
	"deviceNodes": [{"path": "/dev/thing", "hostPath": "/dev/fuse"}], "env": ["THING=one"],
	"mounts": [{"hostPath": "/srv", "containerPath": "/thing", "options": ["ro", "rbind"]}]}}]}`

func cdiDevice(l *lab) {
	l.ok("folder", os.MkdirAll("/etc/cdi", 0o755))
	l.ok("specification", os.WriteFile("/etc/cdi/thing.json", []byte(cdiSpec), 0o644))
	id := l.run(l.pod(), "main", forever(), func(c *cri.ContainerConfig) {
		c.CDIDevices = []*cri.CDIDevice{{Name: "example.com/thing=one"}}
	})
	eq(l, "device", l.out(id, "stat -c %t:%T /dev/thing; echo $THING; grep -c ' /thing ' /proc/mounts"), "a:e5\none\n1")
}
