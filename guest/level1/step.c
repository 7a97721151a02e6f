// SPDX-License-Identifier: GPL-2.0-only
/* KTAP of a flat list of results; the plan follows them */
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "level1.h"

static char title[160];
static double began;
static unsigned int count, failed;

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* scripts/boot shows the last line of this kind as progress */
void step(const char *format, ...)
{
	va_list ap;

	if (!count)
		printf("KTAP version 1\n");
	va_start(ap, format);
	vsnprintf(title, sizeof(title), format, ap);
	va_end(ap);
	began = now();
	printf("#  RUN           %s ...\n", title);
	fflush(stdout);
}

bool step_end(bool ok)
{
	failed += !ok;
	printf("# seconds: %.1f\n", now() - began);
	printf("%s %u - %s\n", ok ? "ok" : "not ok", ++count, title);
	fflush(stdout);
	return ok;
}

/* A diagnostic: one line, whatever is in it; init takes no longer ones */
void note(const char *format, ...)
{
	char text[NOTE_ROOM];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	text[strcspn(text, "\r\n")] = '\0';
	printf("# %s\n", text);
	fflush(stdout);
}

/* The exit status of the program */
int steps_end(void)
{
	printf("1..%u\n", count);
	return failed || !count;
}
