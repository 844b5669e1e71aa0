/*
 * One handler for all signals that the runtime passes on: it writes the number to a pipe. Go's own way
 * (os/signal) moves each signal to a thread of its own, two context switches a signal: for sixty of them
 * that is as long as the rest of a start.
 */
#include "catch.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static int out = -1;
static struct sigaction before[65];
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
	if (is_fault(sig) && info->si_code > 0 && before[sig].sa_flags & SA_SIGINFO) {
		before[sig].sa_sigaction(sig, info, context);
		return;
	}
	if (write(out, &n, 1) < 0) {
		/* The pipe is full of signals that nobody has read yet: one more is lost, as the kernel's are. */
	}
	errno = saved;
}

void tare_catch(int fd, const unsigned char want[65])
{
	/* On the alternate stack, as Go's threads need it; restarting, as Go's own handlers do. */
	struct sigaction sa = { .sa_sigaction = tell, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };

	sigfillset(&sa.sa_mask);
	out = fd;
	for (int n = 1; n <= 64; n++)
		caught[n] = want[n] && sigaction(n, &sa, &before[n]) == 0;
}

void tare_release(void)
{
	for (int n = 1; n <= 64; n++)
		if (caught[n])
			sigaction(n, &before[n], NULL);
}
