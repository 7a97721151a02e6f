// SPDX-License-Identifier: GPL-2.0-only
/* KTAP of a flat list of results; the plan follows them */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rig.h"

static unsigned int count, failed;

/*
 * The name of a result must be the same in each run, so what was seen goes
 * into a diagnostic before it.
 */
void result(bool ok, const char *name, ...)
{
	char text[256];
	char *seen;
	va_list ap;

	va_start(ap, name);
	vsnprintf(text, sizeof(text), name, ap);
	va_end(ap);
	seen = strstr(text, ": ");
	if (seen) {
		*seen = '\0';
		printf("# %s\n", seen + 2);
	}
	failed += !ok;
	printf("%s %u - %s\n", ok ? "ok" : "not ok", ++count, text);
	fflush(stdout);
}

int results_end(void)
{
	printf("1..%u\n", count);
	return failed ? 1 : 0;
}
