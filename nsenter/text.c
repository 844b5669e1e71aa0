/* The little text that the fast lane has to read and write by itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lane.h"

/* Writes "/proc/self/fd/N". */
void tare_fd_path(char *to, unsigned fd)
{
	static const char dir[] = "/proc/self/fd/";
	char digits[10];
	int n = 0;

	memcpy(to, dir, sizeof dir - 1);
	to += sizeof dir - 1;
	do
		digits[n++] = (char)('0' + fd % 10);
	while (fd /= 10);
	while (n > 0)
		*to++ = digits[--n];
	*to = 0;
}

/* The number that the n characters at s are, -1 for anything else than a 32-bit decimal number. */
static int64_t number(const char *s, size_t n)
{
	int64_t v = 0;

	if (n == 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
		if (v > UINT32_MAX)
			return -1;
	}
	return v;
}

/*
 * Finds the home directory of uid in the line of a passwd file, which has seven fields: 1 when it is the
 * line of that user, with home and its length.
 */
static int entry(const char *line, size_t n, int64_t uid, const char **home, size_t *len)
{
	int field = 0, match = 0;
	size_t start = 0;

	*home = "";
	*len = 0;
	for (size_t i = 0; i <= n; i++) {
		if (i < n && line[i] != ':')
			continue;
		if (field == 2)
			match = number(line + start, i - start) == uid;
		if (field == 5) {
			*home = line + start;
			*len = i - start;
		}
		field++;
		start = i + 1;
	}
	return match && field == 7;
}

/*
 * Writes the home directory of the effective user, as the passwd file fd has it, or "/". 0 when file or
 * path are larger than this is made for: nothing is written then. The file is the container's.
 */
int tare_home(int fd, char *to, size_t size)
{
	const size_t limit = 64 << 10;
	const int64_t uid = geteuid();
	struct stat st;
	const char *home = "/";
	size_t n = 0, len = 1;
	char *text;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || size < 2) {
		memcpy(to, "/", 2);
		return 1;
	}
	text = mmap(NULL, limit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (text == MAP_FAILED)
		return 0;
	while (n < limit) {
		ssize_t k = read(fd, text + n, limit - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			n = 0; /* unreadable: as if it were empty */
		if (k <= 0)
			break;
		n += (size_t)k;
	}
	for (size_t at = 0; n < limit && at < n;) {
		const char *end = memchr(text + at, '\n', n - at);
		const size_t line = end ? (size_t)(end - text) - at : n - at;

		if (entry(text + at, line, uid, &home, &len)) {
			if (len == 0 || home[0] != '/' || memchr(home, 0, len))
				home = "/", len = 1;
			break;
		}
		home = "/", len = 1;
		at += line + 1;
	}
	if (n < limit && len < size) {
		memcpy(to, home, len);
		to[len] = 0;
	} else {
		n = limit;
	}
	munmap(text, limit);
	return n < limit;
}
