/*
 * Distributions compile libseccomp.a against glibc, with _FORTIFY_SOURCE. All that this needs and
 * another libc may lack is the checked fprintf.
 */
#include <stdarg.h>
#include <stdio.h>

#ifndef __GLIBC__
int __fprintf_chk(FILE *stream, int flag, const char *format, ...);

int __fprintf_chk(FILE *stream, int flag, const char *format, ...)
{
	va_list args;
	int n;

	(void)flag;
	va_start(args, format);
	n = vfprintf(stream, format, args);
	va_end(args);
	return n;
}
#endif
