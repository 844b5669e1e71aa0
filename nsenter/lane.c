/*
 * The fast lane of the init stage. Most steps of a plan are plain: a few system calls that either
 * succeed or mean that something unusual is the matter. The host has lowered those to a list of
 * calls (internal/calls); this file makes them one after the other, and Go need not even start. It
 * decides nothing: at the first answer that the list does not expect it leaves the step, and
 * the Go lane (internal/initstage) takes it from its beginning. So what is unusual, every
 * retry, fallback and error text, stands in one place, in Go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "door.h"
#include "lane.h"

struct lane_rest tare_rest;

struct lane {
	const struct lane_header *head;
	const struct lane_op *ops;
	uint8_t *data, *scratch;
	int err; /* of the last call that failed */
	uint64_t slot[LANE_SLOTS];
};

#define NO_FD (~(uint64_t)0)

static __attribute__((noreturn)) void gone(void)
{
	_exit(1); /* nobody is left to tell */
}

static void send_all(int fd, const void *p, size_t n)
{
	while (n > 0) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return; /* its end shows at the next read */
		p = (const char *)p + k;
		n -= (size_t)k;
	}
}

/* Fills p; 0 at the end of the stream. */
static int read_all(int fd, void *p, size_t n)
{
	while (n > 0) {
		ssize_t k = read(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return 0;
		p = (char *)p + k;
		n -= (size_t)k;
	}
	return 1;
}

/* Reads a message header; descriptors that come with it go into the table. */
static void read_header(uint32_t head[2])
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 253)];
	} ctl;
	size_t have = 0;

	while (have < 8) {
		struct iovec iov = { (char *)head + have, 8 - have };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
				      .msg_control = ctl.buf, .msg_controllen = sizeof ctl.buf };
		ssize_t n = recvmsg(tare_rest.conn, &msg, MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			gone();
		have += (size_t)n;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			size_t k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

			if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
				continue;
			if (tare_rest.ntable + (int)k > LANE_SLOTS - LANE_TABLE)
				gone();
			memcpy(&tare_rest.slot[LANE_TABLE + tare_rest.ntable], CMSG_DATA(c), k * sizeof(int));
			tare_rest.ntable += (int)k;
		}
	}
}

/* Reads descriptors and plan: a flag, the length of the program, the program, the steps. */
static const struct lane_header *receive(void)
{
	const size_t before = 3; /* so that the program behind flag and length is aligned */
	uint32_t head[2], size;
	uint8_t *p;

	do
		read_header(head);
	while (head[0] == LANE_MSG_FDS && head[1] == 0);
	if (head[0] != LANE_MSG_PLAN || head[1] < 5 || head[1] > LANE_MAX_MESSAGE)
		gone();
	p = mmap(NULL, before + head[1], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || !read_all(tare_rest.conn, p + before, head[1]))
		gone();
	tare_rest.have = 1;
	tare_rest.plan = p + before;
	tare_rest.size = head[1];
	memcpy(&size, p + before + 1, 4);
	if (size < sizeof(struct lane_header) || size > head[1] - 5)
		return NULL;
	return (const struct lane_header *)(p + before + 5);
}

/* Finds the parts of the program and turns offsets into addresses where the kernel reads pointers. */
static int load(struct lane *l, const struct lane_header *h)
{
	const uint32_t *reloc;

	l->head = h;
	l->ops = (const struct lane_op *)(h + 1);
	reloc = (const uint32_t *)(l->ops + h->nops);
	l->data = (uint8_t *)(reloc + 2 * (size_t)h->nrelocs);
	l->scratch = mmap(NULL, h->scratch, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h->magic != LANE_MAGIC || l->scratch == MAP_FAILED)
		return 0;
	for (uint32_t i = 0; i < h->nrelocs; i++, reloc += 2) {
		const uint32_t in_scratch = 1u << 31;
		uint64_t to = (uint64_t)(uintptr_t)(reloc[1] & in_scratch ? l->scratch : l->data) + (reloc[1] & ~in_scratch);

		memcpy(l->data + reloc[0], &to, sizeof to);
	}
	for (int i = 0; i < LANE_SLOTS; i++)
		l->slot[i] = NO_FD;
	for (int i = 0; i < tare_rest.ntable; i++)
		l->slot[LANE_TABLE + i] = (uint64_t)tare_rest.slot[LANE_TABLE + i];
	return 1;
}

static uint64_t value(const struct lane *l, const struct lane_op *o, int i)
{
	const uint32_t v = o->arg[i];

	switch (o->kinds >> 2 * i & 3) {
	case LANE_DATA:
		return (uint64_t)(uintptr_t)l->data + v;
	case LANE_SLOT:
		return l->slot[v];
	case LANE_SCRATCH:
		return (uint64_t)(uintptr_t)l->scratch + v;
	}
	return v;
}

static void *pointer(const struct lane *l, const struct lane_op *o, int i)
{
	return (void *)(uintptr_t)value(l, o, i);
}

static uint64_t pair(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

static uint64_t word(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* The report that step i begins now: all its strings are empty, the host knows the step (start its kind). */
static void say_step(uint32_t i, uint32_t kind)
{
	uint32_t m[2 + 9] = { LANE_MSG_LOG, 36, i, kind };
	struct timespec now;
	int64_t ns;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	memcpy(&m[9], &ns, sizeof ns);
	send_all(tare_rest.conn, m, sizeof m);
}

/* Says "arrived" and waits for the same name with "go". */
static void barrier(const void *arrived, const void *go, size_t size)
{
	char got[128];

	send_all(tare_rest.conn, arrived, size);
	if (size > sizeof got || !read_all(tare_rest.conn, got, size) || memcmp(got, go, size))
		gone();
}

static void end(int sig)
{
	_exit(128 + sig);
}

/*
 * Number 1 of a pid namespace is deaf to every signal that it has no handler for. A container that waits for its
 * start ends by those that end a program, like one whose init has become a Go runtime. execve(2) forgets them.
 * All of it must stand before the host can say "created".
 */
static void end_by_signals(void)
{
	signal(SIGHUP, end);
	signal(SIGINT, end);
	signal(SIGTERM, end);
}

/* Lets go of the host and waits for a start command that says go; one that dies before is no start. */
static void wait_start(int listener)
{
	close(tare_rest.conn);
	for (;;) {
		uint32_t head[2];
		char name[128];
		int c = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (c < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (c < 0)
			gone();
		if (read_all(c, head, sizeof head) && head[0] == LANE_MSG_GO && head[1] <= sizeof name &&
		    read_all(c, name, head[1])) {
			tare_rest.conn = c;
			tare_rest.started = 1;
			close(listener);
			return;
		}
		close(c);
	}
}

static void reset_signals(void)
{
	const uint64_t action[4] = { 0 }, none = 0; /* the kernel's struct sigaction is no larger */

	for (long sig = 1; sig <= 64; sig++)
		syscall(SYS_rt_sigaction, sig, action, NULL, sizeof none);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

/*
 * Sends a failure and ends. At p stand the offset of errno in the message, 0 when it is in there already,
 * and the message.
 */
static __attribute__((noreturn)) void fail(const struct lane *l, char *p)
{
	const uint32_t err = (uint32_t)l->err;
	const uint64_t off = word(p);
	uint32_t size;

	p += sizeof off;
	memcpy(&size, p + 4, sizeof size);
	if (off)
		memcpy(p + off, &err, sizeof err);
	send_all(tare_rest.conn, p, 8 + (size_t)size);
	_exit(1);
}

static int expected(const struct lane_op *o, int err)
{
	for (int i = 0; i < 3; i++)
		if (o->errs[i] == LANE_ANY_ERRNO || (o->errs[i] && o->errs[i] == err))
			return 1;
	return 0;
}

/* Makes the call of o: 0 when it failed in a way that the program does not expect. */
static int call(struct lane *l, const struct lane_op *o, uint32_t *pc)
{
	long r = syscall(o->nr, value(l, o, 0), value(l, o, 1), value(l, o, 2), value(l, o, 3), value(l, o, 4), value(l, o, 5));

	if (r != -1) {
		if (o->dst)
			l->slot[o->dst] = (uint64_t)r;
		return 1;
	}
	l->err = errno;
	if (!expected(o, l->err))
		return 0;
	*pc += o->jump;
	return 1;
}

static void close_slot(struct lane *l, uint64_t i)
{
	if (l->slot[i] != NO_FD)
		close((int)l->slot[i]);
	l->slot[i] = NO_FD;
}

/* Goes through the program. It comes back only to leave the rest to Go. */
static void run(struct lane *l)
{
	uint32_t pc = 0;

	end_by_signals();
	while (pc < l->head->nops) {
		const struct lane_op *o = &l->ops[pc++];

		switch (o->code) {
		case LANE_CALL:
			if (!call(l, o, &pc))
				return;
			break;
		case LANE_STEP:
			tare_rest.index = o->arg[0];
			tare_rest.half = 0;
			if (l->head->debug)
				say_step(tare_rest.index, o->arg[1]);
			break;
		case LANE_COMMIT:
			tare_rest.half = 1;
			break;
		case LANE_CLOSE:
			close_slot(l, o->arg[0]);
			break;
		case LANE_TEST: /* masked word; nr: the jump is for equality, else for the contrary */
			if (((word(pointer(l, o, 0)) & pair(o->arg[1], o->arg[3])) == pair(o->arg[2], o->arg[4])) != o->nr)
				break;
			if (!o->jump)
				return;
			pc += o->jump;
			break;
		case LANE_SAME:
			l->err = 0;
			if (word(pointer(l, o, 0)) != word(pointer(l, o, 1)))
				return;
			break;
		case LANE_SET:
			l->slot[o->dst] = o->nr ? NO_FD : value(l, o, 0);
			break;
		case LANE_IF_OPEN:
			if (l->slot[o->arg[0]] != NO_FD)
				pc += o->jump;
			break;
		case LANE_JUMP:
			pc += o->jump;
			break;
		case LANE_OR: {
			const uint64_t v = word(pointer(l, o, 0)) | value(l, o, 1);

			memcpy(pointer(l, o, 0), &v, sizeof v);
			break;
		}
		case LANE_OCTAL: {
			const uint64_t mode = word(pointer(l, o, 0));
			char *to = pointer(l, o, 1);

			for (int i = 0; i < 4; i++)
				to[i] = (char)('0' + (mode >> (9 - 3 * i) & 7));
			break;
		}
		case LANE_FD_PATH:
			tare_fd_path(pointer(l, o, 1), (unsigned)value(l, o, 0));
			break;
		case LANE_BARRIER:
			barrier(pointer(l, o, 0), pointer(l, o, 1), o->arg[2]);
			break;
		case LANE_WAIT:
			wait_start((int)value(l, o, 0));
			l->slot[o->arg[0]] = NO_FD;
			break;
		case LANE_HOME:
			if (!tare_home((int)value(l, o, 0), pointer(l, o, 1), o->arg[2]))
				return;
			break;
		case LANE_SEND:
			send_all(tare_rest.conn, pointer(l, o, 0), o->arg[1]);
			break;
		case LANE_RESET:
			reset_signals();
			break;
		case LANE_EXEC:
			execve(pointer(l, o, 0), pointer(l, o, 1), pointer(l, o, 2));
			l->err = errno;
			break;
		case LANE_FAIL:
			fail(l, pointer(l, o, 0));
		default: /* LANE_LEAVE */
			return;
		}
	}
}

void tare_lane(void)
{
	static struct lane l;
	const struct lane_header *h;

	tare_rest.conn = DOOR_SOCKET;
	for (int i = 0; i < LANE_SLOTS; i++)
		tare_rest.slot[i] = -1;
	fcntl(DOOR_SOCKET, F_SETFD, FD_CLOEXEC);
	h = receive();
	/* The steps say exact modes. */
	tare_rest.umask = (int)umask(0);
	if (!h || !load(&l, h))
		return;
	run(&l);
	tare_rest.err = l.err;
	for (int i = 1; i < LANE_SLOTS; i++) {
		const int keep = i <= LANE_EMPTY || i >= LANE_TABLE;

		if (!keep && i < LANE_VALUES && l.slot[i] != NO_FD)
			close((int)l.slot[i]);
		tare_rest.slot[i] = keep && l.slot[i] != NO_FD ? (int)l.slot[i] : -1;
	}
}
