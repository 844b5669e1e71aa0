package main

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"tare/integration/report"
)

func gather() report.Facts {
	f := report.Facts{
		Env: os.Environ(), Args: os.Args, FDs: ownFDs,
		PID: os.Getpid(), PPID: os.Getppid(), PGID: unix.Getpgrp(),
		NS: nsLinks("self"), Mounts: mounts(), Cgroup: lines("/proc/self/cgroup"),
		UIDMap: idMap("/proc/self/uid_map"), GIDMap: idMap("/proc/self/gid_map"),
		Setgroups: text("/proc/self/setgroups"), TimeOffsets: text("/proc/self/timens_offsets"),
		Rlimits: rlimits(), LoUp: loUp(), Links: links(), Keyring: keyring(unix.KEYCTL_DESCRIBE), KeyringLabel: keyring(unix.KEYCTL_GET_SECURITY),
	}
	f.SID, _ = unix.Getsid(0)
	f.Cwd, _ = unix.Getwd()
	f.OOMScoreAdj, _ = strconv.Atoi(text("/proc/self/oom_score_adj"))
	f.Uptime, _ = strconv.ParseFloat(strings.Fields(text("/proc/uptime") + " 0")[0], 64)
	status(&f)
	schedule(&f)
	var uts unix.Utsname
	must(unix.Uname(&uts))
	f.Hostname, f.Domainname = unix.ByteSliceToString(uts.Nodename[:]), unix.ByteSliceToString(uts.Domainname[:])
	return f
}

// status fills what /proc/self/status holds. The file is that of the main thread, to which main is locked.
func status(f *report.Facts) {
	f.Caps = map[string][]string{}
	for _, line := range lines("/proc/self/status") {
		key, val, _ := strings.Cut(line, ":")
		val = strings.TrimSpace(val)
		switch key {
		case "Uid":
			f.UID = four(val)
		case "Gid":
			f.GID = four(val)
		case "Groups":
			for _, g := range strings.Fields(val) {
				f.Groups = append(f.Groups, number(g))
			}
			slices.Sort(f.Groups)
		case "CapInh":
			f.Caps["inheritable"] = capNames(val)
		case "CapPrm":
			f.Caps["permitted"] = capNames(val)
		case "CapEff":
			f.Caps["effective"] = capNames(val)
		case "CapBnd":
			f.Caps["bounding"] = capNames(val)
		case "CapAmb":
			f.Caps["ambient"] = capNames(val)
		case "NoNewPrivs":
			f.NoNewPrivs = val == "1"
		case "Seccomp":
			f.Seccomp = number(val)
		case "Seccomp_filters":
			f.Filters = number(val)
		case "Umask":
			u, _ := strconv.ParseInt(val, 8, 32)
			f.Umask = int(u)
		case "SigBlk":
			f.SigBlocked = val
		}
	}
}

func schedule(f *report.Facts) {
	if attr, err := unix.SchedGetAttr(0, 0); err == nil {
		f.Policy, f.Nice, f.Priority = int(attr.Policy), int(attr.Nice), int(attr.Priority)
	}
	const whoProcess = 1
	prio, _, _ := unix.Syscall(unix.SYS_IOPRIO_GET, whoProcess, 0, 0)
	f.IOPrio = int(prio)
	pers, _, _ := unix.Syscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0)
	f.Personality = int(pers)
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) == nil {
		for cpu := range 1024 {
			if set.IsSet(cpu) {
				f.Affinity = append(f.Affinity, cpu)
			}
		}
	}
	var mode int32
	var nodes [16]uint64
	unix.Syscall6(unix.SYS_GET_MEMPOLICY, uintptr(unsafe.Pointer(&mode)), uintptr(unsafe.Pointer(&nodes)), 1024, 0, 0, 0)
	f.MemPolicy = int(mode)
	for n := range 1024 {
		if nodes[n/64]>>(n%64)&1 == 1 {
			f.MemNodes = append(f.MemNodes, n)
		}
	}
	var sig int32
	unix.Prctl(unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&sig)), 0, 0, 0)
	f.PDeathSig = int(sig)
	f.Dumpable, _ = unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
}

var rlimitNames = []string{"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS",
	"LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME"}

func rlimits() map[string][2]uint64 {
	out := map[string][2]uint64{}
	for i, name := range rlimitNames {
		var lim unix.Rlimit
		must(unix.Prlimit(0, i, nil, &lim))
		out["RLIMIT_"+name] = [2]uint64{lim.Cur, lim.Max}
	}
	return out
}

// fdLinks lists the open fds with raw calls: the os package may open an epoll fd of its own.
func fdLinks() map[int]string {
	out := map[int]string{}
	dir, err := unix.Open("/proc/self/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return out
	}
	defer unix.Close(dir)
	buf := make([]byte, 65536)
	for {
		n, err := unix.ReadDirent(dir, buf)
		if n <= 0 || err != nil {
			return out
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			if num := number(name); num != dir {
				link := make([]byte, 4096)
				n, _ := unix.Readlink("/proc/self/fd/"+name, link)
				out[num] = string(link[:max(n, 0)])
			}
		}
	}
}

func nsLinks(pid string) map[string]string {
	out := map[string]string{}
	for _, name := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		out[name], _ = os.Readlink("/proc/" + pid + "/ns/" + name)
	}
	return out
}

func mounts() []report.Mount {
	var out []report.Mount
	for _, line := range lines("/proc/self/mountinfo") {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 3 {
			continue
		}
		out = append(out, report.Mount{Root: l[3], Target: l[4], Options: strings.Split(l[5], ","), Optional: l[6:],
			FSType: r[0], Source: r[1], Super: strings.Split(r[2], ",")})
	}
	return out
}

func idMap(path string) [][3]int {
	var out [][3]int
	for _, line := range lines(path) {
		f := strings.Fields(line)
		out = append(out, [3]int{number(f[0]), number(f[1]), number(f[2])})
	}
	return out
}

func four(s string) (out [4]int) {
	for i, f := range strings.Fields(s) {
		out[i] = number(f)
	}
	return out
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func text(path string) string {
	data, _ := os.ReadFile(path)
	return strings.TrimSpace(string(data))
}

func lines(path string) []string {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	var out []string
	for scan := bufio.NewScanner(file); scan.Scan(); {
		out = append(out, scan.Text())
	}
	return out
}
