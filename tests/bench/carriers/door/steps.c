/* The steps in C: raw system calls only, no allocation, nothing that needs a runtime, so that it may
 * run before Go starts and in a child that shares the memory of a running Go program. */
#define _GNU_SOURCE
#include "steps.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SETHOSTNAME = 1, MOUNT, PIVOT, UMOUNT, CHDIR, DROP, EXEC, BARRIER };

static __attribute__((noreturn)) void fail(int sock, unsigned step, int err)
{
	unsigned char m[3] = { 'e', step, err };
	if (write(sock, m, sizeof m) < 0) _exit(99);
	_exit(100);
}

static int drop(uint64_t keep)
{
	for (int c = 0; c < 64; c++)
		if (!(keep >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0)) {
			if (errno == EINVAL) break;
			return -1;
		}
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { keep, keep, 0 }, { keep >> 32, keep >> 32, 0 } };
	if (syscall(SYS_capset, &h, d)) return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int barrier(int sock)
{
	char c = 'r';
	return write(sock, &c, 1) == 1 && read(sock, &c, 1) == 1 ? 0 : -1;
}

static int one(unsigned op, uint64_t num, const char **s, int sock)
{
	switch (op) {
	case SETHOSTNAME: return sethostname(s[0], strlen(s[0]));
	case MOUNT: return mount(s[0], s[1], s[2], num, s[3]);
	case PIVOT: return syscall(SYS_pivot_root, s[0], s[1]);
	case UMOUNT: return umount2(s[0], num);
	case CHDIR: return chdir(s[0]);
	case DROP: return drop(num);
	case BARRIER: return barrier(sock);
	case EXEC: {
		char *argv[] = { (char *)s[0], NULL }, *envp[] = { NULL };
		return execve(s[0], argv, envp);
	}
	}
	errno = ENOSYS;
	return -1;
}

void run_steps(const unsigned char *p, size_t len, int sock)
{
	const unsigned char *end = p + len;
	uint32_t n;
	if (len < 4) fail(sock, 255, EBADMSG);
	memcpy(&n, p, 4);
	p += 4;
	for (unsigned i = 0; i < n; i++) {
		uint16_t op, nstr, l;
		uint64_t num;
		const char *s[4] = { 0 };
		if (end - p < 12) fail(sock, i, EBADMSG);
		memcpy(&op, p, 2);
		memcpy(&nstr, p + 2, 2);
		memcpy(&num, p + 4, 8);
		p += 12;
		for (unsigned k = 0; k < nstr; k++) {
			if (end - p < 2) fail(sock, i, EBADMSG);
			memcpy(&l, p, 2);
			p += 2;
			if (k >= 4 || !l || end - p < l || p[l - 1]) fail(sock, i, EBADMSG);
			s[k] = (const char *)p;
			p += l;
		}
		if (one(op, num, s, sock)) fail(sock, i, errno);
	}
	fail(sock, n, EBADMSG); /* a plan ends with EXEC */
}
