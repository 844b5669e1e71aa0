/* The constructor: runs before the Go runtime in every start of this program. */
#include "steps.h"
#include <string.h>
#include <unistd.h>

int carry_mode;
static unsigned char buf[8192];

__attribute__((constructor)) static void enter(int argc, char **argv)
{
	if (argc < 1) return;
	if (!strcmp(argv[0], "carry-go")) carry_mode = CARRY_GO;
	if (strcmp(argv[0], "carry-ctor")) return;
	ssize_t n = read(3, buf, sizeof buf);
	run_steps(buf, n < 0 ? 0 : n, 3);
}
