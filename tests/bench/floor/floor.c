/*
 * floor.c - the kernel floor under `RUNTIME run` for the default `runc spec` bundle.
 *
 * A static C program that does, with no JSON, no state files, no logging, no hooks and no
 * validation, the kernel work which no OCI runtime can skip for that bundle:
 *
 *   cgroups   v1: one cgroup in every mounted hierarchy (cpuset.cpus/.mems copied from the parent),
 *             devices.deny all + the ten default allows, memory/pids limit when asked for;
 *             v2: one cgroup, the limits, one device BPF program; CLONE_INTO_CGROUP.
 *             v1 joins: the first write to a cgroup.procs after ~20 ms without one waits for an
 *             RCU grace period (6-12 ms at HZ=250; the writes that follow cost 20-50 us).  It
 *             cannot be skipped, only overlapped: a helper that shares our memory makes the first
 *             write at once (it moves itself), and moves the container's process when it is there,
 *             while that one makes its mounts.  FLOOR_JOIN=child is the plain way (the child
 *             writes "0" itself before its mounts), to see what the overlap gives.
 *   clone     one clone3 with pid, net, ipc, uts, mnt (v2: and cgroup) namespaces.
 *             On x86-64 with CLONE_VM|CLONE_VFORK, so no page table is copied.
 *   mounts    / rslave, rootfs bound onto itself, proc, tmpfs /dev, devpts, shm, mqueue, sysfs ro,
 *             cgroup (v1: tmpfs + one read-only bind per hierarchy), six device nodes, five links,
 *             masked paths (one empty read-only tmpfs, bound again for each further folder; files
 *             get /dev/null), read-only paths, pivot_root, read-only root.
 *   process   hostname, RLIMIT_NOFILE, bounding set, capset, no_new_privs, close_range, the
 *             seccomp filter when the bundle has one, exec.
 *   end       wait, rmdir the cgroups.
 *
 * Left out on purpose, as the specification does not ask for it: bringing `lo` up, a session
 * keyring, a state folder, an exec fifo, a sealed copy of the own binary.
 * Nothing is parsed but a line file: <bundle>/floor.conf (optional; the benchmark writes it).  Lines:
 *     arg STRING            one argument of the container process, in order (default /bin/true)
 *     cgroup /PATH          the container's cgroup (default /floor-<pid>)
 *     memory BYTES          memory limit
 *     pids N                pids limit
 *     bind SRC DST ro|rw    a further bind mount (DST inside the container, must exist)
 *     tmpfs DST             a further tmpfs
 * and <bundle>/seccomp.bpf (optional): an array of struct sock_filter, loaded as it is.
 *
 * Build:  cc -O2 -static -o floor floor.c      (static: a dynamic one starts 0.2 ms later)
 * Use:    floor [--root DIR] run [--bundle|-b DIR] ID       --root is read over
 *         FLOOR_TRACE=1   time of each phase in microseconds on stderr
 *         FLOOR_CGROUP=no no cgroups;  =spec only the hierarchies the configuration names
 *                         (devices, and memory/pids when limited);  default every hierarchy
 *         FLOOR_NET=no    no network namespace (what CLONE_NEWNET costs)
 * Exit status: the container's; 120 when the floor itself failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

#define MAXH 24
#define MAXM 1024

struct hier { char mnt[128]; char ctl[256]; }; /* mount point, controllers */
static struct hier hiers[MAXH];
static int nhier, v2;
static int use[MAXH]; /* hierarchies the container gets a cgroup in */
static char cgpath[256], bundle[4096] = ".";
static char *args[64];
static int nargs;
static long long memlimit = -1, pidslimit = -1;
static struct { int tmpfs, ro; char *src, *dst; } extra[MAXM];
static int nextra, nonet;
static struct sock_fprog prog;

/* --- phases --------------------------------------------------------------------------------- */
static int tracing;
static struct { const char *what; struct timespec t; } marks[48];
static int nmarks; /* the child shares memory (CLONE_VM), so its marks are ours */

static void mark(const char *what)
{
	if (!tracing || nmarks >= 48) return;
	marks[nmarks].what = what;
	clock_gettime(CLOCK_MONOTONIC, &marks[nmarks++].t);
}

static void show_marks(void)
{
	double sum = 0;
	for (int i = 1; i < nmarks; i++) {
		double us = (marks[i].t.tv_sec - marks[i - 1].t.tv_sec) * 1e6 +
			    (marks[i].t.tv_nsec - marks[i - 1].t.tv_nsec) / 1e3;
		sum += us;
		dprintf(2, "%9.1f us  %s\n", us, marks[i].what);
	}
	dprintf(2, "%9.1f us  total\n", sum);
}

static void remove_cgroups(void);
static pid_t mainpid;
static __attribute__((noreturn)) void die(const char *what, const char *arg)
{
	dprintf(2, "floor: %s %s: %s\n", what, arg ? arg : "", strerror(errno));
	if (getpid() == mainpid) remove_cgroups();
	_exit(120);
}

/* join writes a and b and c into p, which holds 640 bytes. */
static void join(char p[640], const char *a, const char *b, const char *c)
{
	size_t la = strlen(a), lb = strlen(b), lc = strlen(c);
	if (la + lb + lc >= 640) { errno = ENAMETOOLONG; die("path", a); }
	memcpy(p, a, la);
	memcpy(p + la, b, lb);
	memcpy(p + la + lb, c, lc + 1);
}

static int put(const char *path, const char *val)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) return -1;
	ssize_t n = write(fd, val, strlen(val));
	int e = errno;
	close(fd);
	errno = e;
	return n < 0 ? -1 : 0;
}

/* --- cgroups -------------------------------------------------------------------------------- */
static void find_hierarchies(void)
{
	char *buf = malloc(1 << 18), *p = buf;
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t r;
	if (fd < 0) die("open", "/proc/self/mountinfo");
	while ((r = read(fd, buf + n, (1 << 18) - 1 - n)) > 0) n += r;
	close(fd);
	buf[n] = 0;
	char root2[128] = "";
	for (char *line; (line = strsep(&p, "\n")) && *line;) {
		char *sep = strstr(line, " - cgroup"), mnt[128], opts[256];
		if (!sep || sscanf(line, "%*s %*s %*s %*s %127s", mnt) != 1) continue;
		if (!strncmp(sep, " - cgroup2 ", 11)) { strcpy(root2, mnt); continue; }
		if (sscanf(sep, " - cgroup %*s %255s", opts) != 1 || nhier == MAXH) continue;
		strcpy(hiers[nhier].mnt, mnt);
		char *c = strncmp(opts, "rw", 2) ? opts : opts + 3;
		snprintf(hiers[nhier++].ctl, sizeof hiers[0].ctl, "%s", c);
	}
	if (!nhier && *root2) { v2 = 1; strcpy(hiers[0].mnt, root2); nhier = 1; }
	free(buf);
}

static const char *const allow[] = {
	"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:8 rwm", "c 1:7 rwm", "c 5:0 rwm",
	"c 1:5 rwm", "c 1:9 rwm", "c 136:* rwm", "c 5:2 rwm",
};

static void copy_up(const char *parent, const char *child, const char *file)
{
	char p[640], v[256];
	join(p, parent, "/", file);
	int fd = open(p, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, v, sizeof v - 1);
	if (fd >= 0) close(fd);
	if (n <= 0) return;
	v[n] = 0;
	join(p, child, "/", file);
	put(p, v);
}

/* cgroup2 devices: allow what `allow` above allows (type and major:minor; access is not looked at
 * but for mknod), deny the rest.  r1 = struct bpf_cgroup_dev_ctx {access_type, major, minor}. */
static void device_bpf(int cgfd)
{
	static const struct { int type, major, minor; } dev[] = {
		{ BPF_DEVCG_DEV_CHAR, 1, 3 }, { BPF_DEVCG_DEV_CHAR, 1, 8 }, { BPF_DEVCG_DEV_CHAR, 1, 7 },
		{ BPF_DEVCG_DEV_CHAR, 5, 0 }, { BPF_DEVCG_DEV_CHAR, 1, 5 }, { BPF_DEVCG_DEV_CHAR, 1, 9 },
		{ BPF_DEVCG_DEV_CHAR, 136, -1 }, { BPF_DEVCG_DEV_CHAR, 5, 2 },
	};
	struct bpf_insn in[64];
	int n = 0;
#define I(c, d, s, o, i) in[n++] = (struct bpf_insn){ .code = c, .dst_reg = d, .src_reg = s, .off = o, .imm = i }
	I(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0);  /* r2 = access_type */
	I(BPF_ALU64 | BPF_MOV | BPF_X, 3, 2, 0, 0);
	I(BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff); /* r2 = type */
	I(BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);     /* r3 = access */
	I(BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0);  /* major */
	I(BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0);  /* minor */
	I(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1);
	I(BPF_JMP | BPF_JNE | BPF_K, 3, 0, 1, BPF_DEVCG_ACC_MKNOD);
	I(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (unsigned i = 0; i < sizeof dev / sizeof *dev; i++) {
		int any = dev[i].minor < 0;
		I(BPF_JMP | BPF_JNE | BPF_K, 2, 0, any ? 2 : 3, dev[i].type);
		I(BPF_JMP | BPF_JNE | BPF_K, 4, 0, any ? 1 : 2, dev[i].major);
		if (!any) I(BPF_JMP | BPF_JNE | BPF_K, 5, 0, 1, dev[i].minor);
		I(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}
	I(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	I(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	union bpf_attr a;
	memset(&a, 0, sizeof a);
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = (uintptr_t)in;
	a.insn_cnt = n;
	a.license = (uintptr_t)"GPL";
	int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a);
	if (fd < 0) die("bpf load", NULL);
	memset(&a, 0, sizeof a);
	a.target_fd = cgfd;
	a.attach_bpf_fd = fd;
	a.attach_type = BPF_CGROUP_DEVICE;
	a.attach_flags = BPF_F_ALLOW_MULTI;
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &a, sizeof a)) die("bpf attach", NULL);
	close(fd);
}

static void mkdirs(char *p, size_t skip)
{
	if (!mkdir(p, 0755) || errno == EEXIST) return;
	for (char *s = p + skip + 1; (s = strchr(s, '/')); *s++ = '/') {
		*s = 0;
		if (mkdir(p, 0755) && errno != EEXIST) die("mkdir", p);
	}
	if (mkdir(p, 0755) && errno != EEXIST) die("mkdir", p);
}

/* --- joining from the side --------------------------------------------------------------------- */
static int *childtid, childpid, joined, helping; /* futexes, and whether there is a helper */
static char helpstack[65536] __attribute__((aligned(64)));

static void fwait(int *f)
{
	while (!__atomic_load_n(f, __ATOMIC_ACQUIRE)) syscall(SYS_futex, f, FUTEX_WAIT_PRIVATE, 0, NULL);
}

static void fset(int *f, int v)
{
	__atomic_store_n(f, v, __ATOMIC_RELEASE);
	syscall(SYS_futex, f, FUTEX_WAKE_PRIVATE, 10);
}

static int helper(void *arg)
{
	char p[640], num[16];
	(void)arg;
	join(p, hiers[0].mnt, cgpath, "/cgroup.procs");
	put(p, "0"); /* starts (and waits for) the grace period */
	fwait(&childpid);
	snprintf(num, sizeof num, "%d", childpid);
	int ok = 1;
	for (int i = 0; childpid > 0 && i < nhier; i++) {
		if (!use[i]) continue;
		join(p, hiers[i].mnt, cgpath, "/cgroup.procs");
		if (put(p, num)) ok = -1;
	}
	fset(&joined, ok);
	_exit(0);
}

static int start_helper(void)
{
	return clone(helper, helpstack + sizeof helpstack, CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, NULL);
}

static int make_cgroups(int *helppid)
{
	char p[640], f[640], num[32];
	const char *mode = getenv("FLOOR_CGROUP");
	int cgfd = -1;
	if (mode && !strcmp(mode, "no")) return -1;
	for (int i = 0; i < nhier; i++) {
		const char *c = hiers[i].ctl;
		if (!v2 && mode && !strcmp(mode, "spec") && strcmp(c, "devices") &&
		    !(memlimit >= 0 && !strcmp(c, "memory")) && !(pidslimit >= 0 && !strcmp(c, "pids")))
			continue;
		use[i] = 1;
		join(p, hiers[i].mnt, cgpath, "");
		mkdirs(p, strlen(hiers[i].mnt));
		if (strstr(c, "cpuset")) {
			char parent[512];
			strcpy(parent, p);
			*strrchr(parent, '/') = 0;
			copy_up(parent, p, "cpuset.cpus");
			copy_up(parent, p, "cpuset.mems");
		}
	}
	/* only now: a write to cgroup.procs waits with cgroup_mutex held, and mkdir needs that */
	if (helping) *helppid = start_helper();
	for (int i = 0; i < nhier; i++) {
		const char *c = hiers[i].ctl;
		if (!use[i]) continue;
		join(p, hiers[i].mnt, cgpath, "");
		if (v2) {
			cgfd = open(p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (cgfd < 0) die("open", p);
			device_bpf(cgfd);
		}
		if (!strcmp(c, "devices")) {
			join(f, p, "/devices.deny", "");
			if (put(f, "a")) die("write", f);
			join(f, p, "/devices.allow", "");
			int fd = open(f, O_WRONLY | O_CLOEXEC);
			for (unsigned k = 0; k < sizeof allow / sizeof *allow; k++)
				if (write(fd, allow[k], strlen(allow[k])) < 0) die("devices.allow", allow[k]);
			close(fd);
		}
		if (memlimit >= 0 && (v2 || strstr(c, "memory"))) {
			join(f, p, "/", v2 ? "memory.max" : "memory.limit_in_bytes");
			snprintf(num, sizeof num, "%lld", memlimit);
			if (put(f, num)) die("write", f);
		}
		if (pidslimit >= 0 && (v2 || strstr(c, "pids"))) {
			join(f, p, "/pids.max", "");
			snprintf(num, sizeof num, "%lld", pidslimit);
			if (put(f, num)) die("write", f);
		}
	}
	return cgfd;
}

static void remove_cgroups(void)
{
	char p[640];
	for (int i = 0; i < nhier; i++) {
		if (!use[i]) continue;
		join(p, hiers[i].mnt, cgpath, "");
		for (int t = 0; rmdir(p) && errno == EBUSY && t < 1000; t++) usleep(200);
	}
}

/* --- the container's process ------------------------------------------------------------------ */
static void mnt(const char *src, const char *dst, const char *type, unsigned long fl, const char *data)
{
	if (mount(src, dst, type, fl, data)) die("mount", dst);
}

static __attribute__((noreturn)) void child(void)
{
	char p[640];
	static const char *const masked[] = { "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
		"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
		"/sys/firmware", "/proc/scsi" };
	static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
		"/proc/sysrq-trigger" };
	static const struct { const char *name; int maj, min; } nodes[] = { { "dev/null", 1, 3 },
		{ "dev/zero", 1, 5 }, { "dev/full", 1, 7 }, { "dev/random", 1, 8 },
		{ "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 } };
	static const char *const links[][2] = { { "/proc/self/fd", "dev/fd" },
		{ "/proc/self/fd/0", "dev/stdin" }, { "/proc/self/fd/1", "dev/stdout" },
		{ "/proc/self/fd/2", "dev/stderr" }, { "pts/ptmx", "dev/ptmx" } };

	mark("clone");
	if (helping) fset(&childpid, *childtid);
	if (!v2 && !helping)
		for (int i = 0; i < nhier; i++) {
			if (!use[i]) continue;
			join(p, hiers[i].mnt, cgpath, "/cgroup.procs");
			if (put(p, "0")) die("join", p);
		}
	if (!helping) mark("join cgroups");
	setsid();
	if (sethostname("runc", 4)) die("sethostname", NULL);

	mnt("", "/", NULL, MS_SLAVE | MS_REC, NULL);
	mnt("rootfs", "rootfs", NULL, MS_BIND | MS_REC, NULL);
	if (chdir("rootfs")) die("chdir", "rootfs");
	mark("rslave, bind rootfs");
	mnt("proc", "proc", "proc", 0, NULL);
	mark("proc");
	mnt("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
	mark("tmpfs dev");
	if (mkdir("dev/pts", 0755) || mkdir("dev/shm", 0755) || mkdir("dev/mqueue", 0755)) die("mkdir", "dev/*");
	mnt("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	mark("devpts");
	mnt("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=65536k");
	mark("shm");
	mnt("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	mark("mqueue");
	mnt("sysfs", "sys", "sysfs", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL);
	mark("sysfs");
	const unsigned long cf = MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RELATIME;
	if (v2) {
		mnt("cgroup", "sys/fs/cgroup", "cgroup2", cf | MS_RDONLY, NULL);
	} else {
		mnt("cgroup", "sys/fs/cgroup", "tmpfs", cf, "mode=755");
		for (int i = 0; i < nhier; i++) {
			if (!use[i]) continue;
			const char *base = strrchr(hiers[i].mnt, '/') + 1;
			char s[640];
			join(p, "sys/fs/cgroup/", base, "");
			join(s, hiers[i].mnt, cgpath, "");
			if (mkdir(p, 0755)) die("mkdir", p);
			mnt(s, p, NULL, MS_BIND, NULL);
			mnt(s, p, NULL, MS_BIND | MS_REMOUNT | cf | MS_RDONLY, NULL);
		}
		mnt("cgroup", "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | cf | MS_RDONLY, NULL);
	}
	mark("cgroup mounts");
	for (int i = 0; i < nextra; i++) {
		const char *d = extra[i].dst + 1;
		if (extra[i].tmpfs) {
			mnt("tmpfs", d, "tmpfs", MS_NOSUID | MS_NODEV, NULL);
		} else {
			mnt(extra[i].src, d, NULL, MS_BIND | MS_REC, NULL);
			if (extra[i].ro) mnt(NULL, d, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
		}
	}
	if (nextra) mark("further mounts");
	umask(0);
	for (unsigned i = 0; i < sizeof nodes / sizeof *nodes; i++)
		if (mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].maj, nodes[i].min))) die("mknod", nodes[i].name);
	for (unsigned i = 0; i < sizeof links / sizeof *links; i++)
		if (symlink(links[i][0], links[i][1])) die("symlink", links[i][1]);
	umask(022);
	mark("device nodes, links");

	if (syscall(SYS_pivot_root, ".", ".")) die("pivot_root", NULL);
	if (umount2(".", MNT_DETACH)) die("umount", "old root");
	mark("pivot_root, detach old root");
	if (chdir("/")) die("chdir", "/");
	mnt(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
	mark("read-only root");
	const char *empty = NULL;
	for (unsigned i = 0; i < sizeof masked / sizeof *masked; i++) {
		const char *m = masked[i];
		if (!mount("/dev/null", m, NULL, MS_BIND, NULL) || errno == ENOENT) continue;
		if (errno != ENOTDIR) die("mask", m);
		if (empty) mnt(empty, m, NULL, MS_BIND, NULL);
		else mnt("tmpfs", empty = m, "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=1");
	}
	mark("masked paths");
	for (unsigned i = 0; i < sizeof readonly / sizeof *readonly; i++) {
		const char *m = readonly[i];
		if (mount(m, m, NULL, MS_BIND | MS_REC, NULL)) {
			if (errno == ENOENT) continue;
			die("read-only", m);
		}
		mnt(m, m, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	}
	mark("read-only paths");

	if (helping) {
		fwait(&joined);
		if (joined < 0) die("join cgroups", NULL);
		mark("wait until the helper has joined us");
	}
	struct rlimit rl = { 1024, 1024 };
	setrlimit(RLIMIT_NOFILE, &rl);
	const uint64_t caps = 1ULL << CAP_AUDIT_WRITE | 1ULL << CAP_KILL | 1ULL << CAP_NET_BIND_SERVICE;
	for (int c = 0; c <= CAP_LAST_CAP; c++)
		if (!(caps >> c & 1)) prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { caps, caps, 0 }, { caps >> 32, caps >> 32, 0 } };
	if (syscall(SYS_setgroups, 0, NULL)) die("setgroups", NULL);
	if (syscall(SYS_capset, &h, d)) die("capset", NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) die("no_new_privs", NULL);
	syscall(SYS_close_range, 3, ~0U, 0);
	mark("limits, capabilities");
	if (prog.len) {
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog)) die("seccomp", NULL);
		mark("seccomp");
	}
	char *env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", NULL };
	execve(args[0], args, env);
	die("exec", args[0]);
}

/* clone3 whose child runs in our memory while we wait for its exec: the call must be inline, since
 * a function around it would return through a stack that the child has written over. */
static inline __attribute__((always_inline)) long clone_vfork(struct clone_args *a)
{
#ifdef __x86_64__
	long r;
	a->flags |= CLONE_VM | CLONE_VFORK;
	__asm__ volatile("syscall" : "=a"(r) : "0"((long)SYS_clone3), "D"(a), "S"(sizeof *a) : "rcx", "r11", "memory");
	if (r == 0) child();
	if (r < 0) { errno = -r; r = -1; }
	return r;
#else
	long r = syscall(SYS_clone3, a, sizeof *a);
	if (r == 0) child();
	return r;
#endif
}

/* --- reading the line file --------------------------------------------------------------------- */
static void read_bundle(void)
{
	char *buf = NULL, *p;
	int fd = open("floor.conf", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		struct stat st;
		fstat(fd, &st);
		p = buf = malloc(st.st_size + 1); /* kept: the words stay in it */
		ssize_t n = read(fd, buf, st.st_size);
		buf[n < 0 ? 0 : n] = 0;
		close(fd);
		for (char *line; (line = strsep(&p, "\n"));) {
			char *k = strsep(&line, " ");
			if (!line) continue;
			if (!strcmp(k, "arg") && nargs < 63) args[nargs++] = line;
			else if (!strcmp(k, "cgroup")) snprintf(cgpath, sizeof cgpath, "%s", line);
			else if (!strcmp(k, "memory")) memlimit = atoll(line);
			else if (!strcmp(k, "pids")) pidslimit = atoll(line);
			else if (!strcmp(k, "tmpfs") && nextra < MAXM) {
				extra[nextra].tmpfs = 1;
				extra[nextra++].dst = line;
			} else if (!strcmp(k, "bind") && nextra < MAXM) {
				extra[nextra].src = strsep(&line, " ");
				extra[nextra].dst = strsep(&line, " ");
				extra[nextra].ro = line && !strcmp(line, "ro");
				nextra++;
			}
		}
	}
	if (!nargs) args[nargs++] = "/bin/true";
	fd = open("seccomp.bpf", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		static struct sock_filter f[4096];
		ssize_t n = read(fd, f, sizeof f);
		close(fd);
		prog.len = n / sizeof *f;
		prog.filter = f;
	}
}

int main(int argc, char **argv)
{
	int i = 1;
	const char *id = NULL;
	tracing = getenv("FLOOR_TRACE") != NULL;
	mark("start");
	mainpid = getpid();
	for (; i < argc && argv[i][0] == '-'; i++)
		if (!strcmp(argv[i], "--root") || !strcmp(argv[i], "--log")) i++;
	if (i >= argc || strcmp(argv[i], "run")) {
		dprintf(2, "usage: floor [--root DIR] run [--bundle DIR] ID   (only run is supported)\n");
		return 121;
	}
	for (i++; i < argc; i++) {
		if ((!strcmp(argv[i], "--bundle") || !strcmp(argv[i], "-b")) && i + 1 < argc)
			snprintf(bundle, sizeof bundle, "%s", argv[++i]);
		else id = argv[i];
	}
	if (!id) die("no ID", NULL);
	if (chdir(bundle)) die("chdir", bundle);
	const char *net = getenv("FLOOR_NET");
	nonet = net && !strcmp(net, "no");
	read_bundle();
	if (!*cgpath) snprintf(cgpath, sizeof cgpath, "/floor-%d", mainpid);
	find_hierarchies();
	mark("read the bundle and mountinfo");
	const char *j = getenv("FLOOR_JOIN"), *cm = getenv("FLOOR_CGROUP");
	int helppid = 0;
#ifdef __x86_64__
	helping = !v2 && nhier && !(j && !strcmp(j, "child")) && !cm;
#else
	(void)j, (void)cm;
#endif
	int cgfd = make_cgroups(&helppid);
	mark("make cgroups, limits");

	struct clone_args a = { .flags = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS,
				.exit_signal = SIGCHLD };
	int tid = 0;
	if (helping) { a.flags |= CLONE_PARENT_SETTID; a.parent_tid = (uintptr_t)&tid; childtid = &tid; }
	if (!nonet) a.flags |= CLONE_NEWNET;
	if (v2) a.flags |= CLONE_NEWCGROUP;
	if (cgfd >= 0) { a.flags |= CLONE_INTO_CGROUP; a.cgroup = cgfd; }
	long pid = clone_vfork(&a);
	if (pid < 0) {
		if (helping) fset(&childpid, -1);
		die("clone3", NULL);
	}
	mark("exec");
	int st;
	if (helppid > 0) waitpid(helppid, NULL, 0);
	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR) die("wait", NULL);
	mark("container ran, wait");
	remove_cgroups();
	mark("remove cgroups");
	if (tracing) show_marks();
	return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}
