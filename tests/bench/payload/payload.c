/* What the benchmark's containers run, and what starts a runtime whose memory is measured.
 * By the name it is called with:
 *   true                 ends at once
 *   pause                writes one byte on stdout and waits for a signal
 *   measure FILE CMD..   runs CMD and writes the peak RSS (KiB) of it and of what it waited for to FILE.
 *                        A small program must be between: a process starts with the peak of the one
 *                        that forked it, and a Go program's is 10 MiB.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int measure(char **argv)
{
	struct rusage ru;
	int st;
	pid_t pid = fork();
	if (pid < 0) return 125;
	if (pid == 0) {
		execv(argv[1], argv + 1);
		_exit(127);
	}
	if (wait4(pid, &st, 0, &ru) != pid) return 125;
	int fd = open(argv[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || dprintf(fd, "%ld\n", ru.ru_maxrss) < 0) return 125;
	return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	name = name ? name + 1 : argv[0];
	if (!strcmp(name, "true")) return 0;
	if (!strcmp(name, "pause")) {
		if (write(1, "r", 1) != 1) return 1;
		for (;;) pause();
	}
	if (!strcmp(name, "measure") && argc > 2) return measure(argv + 1);
	return 2;
}
