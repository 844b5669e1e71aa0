/* The one clone behind every carrier, so that they differ only in what the child does. */
#define _GNU_SOURCE
#include "steps.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* own_image gives a descriptor of this program on a read-only clone of its mount. */
static int own_image(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	if (n < 0) return -1;
	path[n] = 0;
	int fd = syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct mount_attr a = { .attr_set = MOUNT_ATTR_RDONLY };
	if (fd >= 0 && syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &a, sizeof a)) {
		close(fd);
		return -1;
	}
	return fd;
}

struct start { struct spawn_req *r; int exe; sigset_t mask; };

static int child(void *arg)
{
	struct start *s = arg;
	struct spawn_req *r = s->r;
	for (int i = 1; i < 65; i++) { /* handlers are Go's: they must not run on this stack */
		struct sigaction sa;
		if (i == SIGKILL || i == SIGSTOP || sigaction(i, NULL, &sa) || sa.sa_handler == SIG_IGN) continue;
		sa.sa_handler = SIG_DFL;
		sigaction(i, &sa, NULL);
	}
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
	for (int i = 0; i < r->ncg; i++)
		if (write(r->cgfd[i], "0", 1) != 1) _exit(98);
	if (r->carrier == CARRY_VFORK || r->carrier == CARRY_FORK) run_steps(r->plan, r->len, r->sock);
	if (dup2(r->sock, 3) < 0) _exit(97);
	char *argv[] = { r->carrier == CARRY_GO ? "carry-go" : "carry-ctor", NULL };
	char *envp[] = { "GOMAXPROCS=1", "GOGC=off", NULL };
	syscall(SYS_execveat, s->exe, "", argv, envp, AT_EMPTY_PATH);
	_exit(96);
}

int spawn_child(struct spawn_req *r)
{
	struct start s = { .r = r, .exe = -1 };
	if (r->carrier <= CARRY_CTOR && (s.exe = own_image()) < 0) return -errno;
	int flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PARENT_SETTID | SIGCHLD;
	if (r->carrier != CARRY_FORK) flags |= CLONE_VM | CLONE_VFORK;
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &s.mask);
	int pid = clone(child, (char *)r->stack + STACK_SIZE, flags, &s, &r->tid);
	int err = errno;
	sigprocmask(SIG_SETMASK, &s.mask, NULL);
	if (s.exe >= 0) close(s.exe);
	return pid < 0 ? -err : pid;
}
