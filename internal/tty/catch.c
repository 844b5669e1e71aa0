/*
 * One handler for all signals that the runtime passes on: it writes the number to a pipe. Go's own way
 * (os/signal) moves each signal to a thread of its own, two context switches a signal: for sixty of them
 * that is as long as the rest of a start.
 */
#define _GNU_SOURCE
#include "catch.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's struct sigaction, the same on all architectures that tare runs on. */
struct action {
	void (*handler)(int sig, siginfo_t *info, void *context);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static int out = -1;
static struct action before[65];
static unsigned char caught[65];

static int is_fault(int sig)
{
	switch (sig) {
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
	case SIGSYS:
	case SIGABRT:
		return 1;
	}
	return 0;
}

static void tell(int sig, siginfo_t *info, void *context)
{
	const int saved = errno;
	const unsigned char n = (unsigned char)sig;

	/* A fault of the runtime's own is Go's, which makes a panic of it; one that somebody sent is not. */
	if (is_fault(sig) && info->si_code > 0 && before[sig].flags & SA_SIGINFO) {
		before[sig].handler(sig, info, context);
		return;
	}
	if (write(out, &n, 1) < 0) {
		/* The pipe is full of signals that nobody has read yet: one more is lost, as the kernel's are. */
	}
	errno = saved;
}

static int act(int sig, const struct action *set, struct action *old)
{
	return (int)syscall(SYS_rt_sigaction, sig, set, old, sizeof set->mask);
}

/*
 * What the kernel is to do with a signal of ours. A libc keeps some signals to itself, and which they
 * are differs (34, the first real-time one, is musl's); and only it knows how a handler returns. So it
 * is asked for one handler, and the kernel for what came of it.
 */
static int make(struct action *ours)
{
	/* On the alternate stack, as Go's threads need it; restarting, as Go's own handlers do. */
	struct sigaction sa = { .sa_sigaction = tell, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	struct action was;

	sigfillset(&sa.sa_mask);
	return act(SIGTERM, NULL, &was) || sigaction(SIGTERM, &sa, NULL) || act(SIGTERM, &was, ours);
}

void tare_catch(int fd, const unsigned char want[65])
{
	struct action ours;

	out = fd;
	if (make(&ours))
		return;
	for (int n = 1; n <= 64; n++)
		caught[n] = want[n] && act(n, &ours, &before[n]) == 0;
}

void tare_release(void)
{
	for (int n = 1; n <= 64; n++)
		if (caught[n])
			act(n, &before[n], NULL);
}
