/*
 * The door of the init stage: what a threaded Go process cannot do for itself, done before Go
 * starts. It runs as a constructor of the binary, does nothing unless the program was started as
 * "tare-init door", and then reads one fixed struct from descriptor 3 (internal/step/door.go holds
 * the same layout): it enters namespaces in the order given, unshares others, has its id maps
 * written, writes the clock offsets, and clones at most once. It parses nothing, logs nothing and
 * allocates nothing; a failure is three numbers to the host.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "door.h"
#include "lane.h"

/* The limits that the caller had: Go raises the soft one when it starts. */
uint64_t tare_nofile[2];
/* This process is an init stage. */
int tare_is_init;

static void reply(uint32_t stage, uint32_t index, uint32_t err)
{
	const uint32_t r[3] = { stage, index, err };
	ssize_t n;

	do
		n = send(DOOR_SOCKET, r, sizeof r, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
}

static __attribute__((noreturn)) void fail(uint32_t stage, uint32_t index)
{
	reply(stage, index, (uint32_t)errno);
	_exit(1);
}

/* Reads the struct and the descriptors that come with it, which may arrive in pieces. */
static void read_request(struct door_request *req, int fds[DOOR_MAX_JOINS])
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * DOOR_MAX_JOINS)];
	} ctl;
	size_t have = 0;
	unsigned got = 0;

	while (have < sizeof *req) {
		struct iovec iov = { (char *)req + have, sizeof *req - have };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
				      .msg_control = ctl.buf, .msg_controllen = sizeof ctl.buf };
		ssize_t n = recvmsg(DOOR_SOCKET, &msg, MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1); /* the host is gone */
		have += (size_t)n;
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && !got) {
			got = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(c), got * sizeof(int));
		}
	}
	errno = EPROTO;
	if (req->magic != DOOR_MAGIC || req->njoins > DOOR_MAX_JOINS || req->njoins != got ||
	    req->noffsets > DOOR_MAX_OFFSETS)
		fail(DOOR_READ, 0);
}

static int is_user(uint64_t types)
{
	return (types & CLONE_NEWUSER) != 0;
}

/*
 * Enters the namespaces. What belongs to the user namespace that is still to be entered answers
 * EPERM before it and not after; what belongs to the host's is the other way round. So all are
 * tried before, and those that were refused once more after it.
 */
static void join(const struct door_request *req, const int *fds, int user_later)
{
	uint32_t refused = 0;

	for (uint32_t i = 0; i < req->njoins; i++) {
		if (is_user(req->joins[i]) && (req->joins[i] & (req->joins[i] - 1)) == 0) {
			user_later = 1;
			continue;
		}
		if (setns(fds[i], (int)req->joins[i]) == 0)
			continue;
		if (errno != EPERM)
			fail(DOOR_JOIN, i);
		refused |= 1u << i;
	}
	for (uint32_t i = 0; i < req->njoins; i++)
		if (is_user(req->joins[i]) && (req->joins[i] & (req->joins[i] - 1)) == 0 &&
		    setns(fds[i], CLONE_NEWUSER))
			fail(DOOR_JOIN, i);
	errno = EPERM;
	for (uint32_t i = 0; i < req->njoins; i++)
		if (refused & 1u << i && (!user_later || setns(fds[i], (int)req->joins[i])))
			fail(DOOR_JOIN, i);
	for (uint32_t i = 0; i < req->njoins; i++)
		close(fds[i]);
}

static void become(const struct door_request *req)
{
	/* setgroups may be denied in the namespace; the final groups are a step of the plan. */
	if (syscall(SYS_setresgid, req->gid, req->gid, req->gid) ||
	    syscall(SYS_setresuid, req->uid, req->uid, req->uid))
		fail(DOOR_USER, 0);
}

/* Makes the user namespace first, so that it owns the others. */
static void unshare_all(const struct door_request *req)
{
	uint64_t rest = req->unshare;
	char go;

	if (rest & CLONE_NEWUSER) {
		if (unshare(CLONE_NEWUSER))
			fail(DOOR_UNSHARE, 0);
		rest &= ~(uint64_t)CLONE_NEWUSER;
		if (req->flags & DOOR_WAIT_MAPS) {
			reply(DOOR_MAPS, 0, 0);
			if (read(DOOR_SOCKET, &go, 1) != 1)
				_exit(1);
		}
	}
	if (req->flags & DOOR_BECOME)
		become(req);
	if (rest && unshare((int)rest))
		fail(DOOR_UNSHARE, 1);
}

static void write_offsets(const struct door_request *req)
{
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, req->offsets, req->noffsets) != (ssize_t)req->noffsets)
		fail(DOOR_OFFSETS, 0);
	close(fd);
}

/*
 * A pid or time namespace holds for children only. The child is a child of the host as well
 * (CLONE_PARENT), which learns its number from us.
 */
static void fork_once(void)
{
	long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0L, 0L, 0L, 0L);

	if (pid < 0)
		fail(DOOR_CLONE, 0);
	if (pid > 0) {
		reply(DOOR_CHILD, (uint32_t)pid, 0);
		_exit(0);
	}
}

static void door(void)
{
	struct door_request req;
	int fds[DOOR_MAX_JOINS];

	read_request(&req, fds);
	if (req.flags & DOOR_NON_DUMPABLE && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		fail(DOOR_READ, 1);
	if (req.njoins)
		join(&req, fds, 0);
	unshare_all(&req);
	if (req.noffsets)
		write_offsets(&req);
	if (req.flags & DOOR_FORK)
		fork_once();
	reply(DOOR_DONE, 0, 0);
}

/*
 * What the process was started with: not every libc hands it to constructors, but argc, argv, NULL and
 * the environment lie one behind the other on the stack (the processor's ABI supplement).
 */
static long arguments(char ***argv)
{
	char **p = environ - 1;
	long n = 0;

	for (; (long)(intptr_t)p[-1] != n; n++)
		p--;
	*argv = p;
	return n;
}

static __attribute__((constructor)) void enter(void)
{
	struct rlimit rl;
	char **argv;
	long argc = arguments(&argv);

	if (argc < 2 || strcmp(argv[0], DOOR_INIT_NAME))
		return;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		tare_nofile[0] = rl.rlim_cur;
		tare_nofile[1] = rl.rlim_max;
	}
	tare_is_init = 1;
	/* Executed through a descriptor, it goes by that one's number in ps(1) and in the kernel's log. */
	prctl(PR_SET_NAME, DOOR_INIT_NAME);
	/*
	 * What the caller of the runtime has left open would be reachable as /proc/self/fd/N by a hostile
	 * process.args[0] (CVE-2024-21626). Now is the time: Go may open descriptors of its own later.
	 */
	syscall(SYS_close_range, DOOR_SOCKET + 1, ~0U, 0);
	if (!strcmp(argv[1], DOOR_MODE))
		door();
	if (argc > 2 && !strcmp(argv[2], LANE_MODE))
		tare_lane();
}
