// SPDX-License-Identifier: GPL-2.0-only
/*
 * The report: one nested KTAP document on a serial port that nothing else
 * writes to, so that neither the console nor a command can disturb its outer
 * level. Each line goes out at once: when the kernel dies, the host still
 * sees what was running.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "guest.h"

#define CHILD_INDENT "    "

int ktap_open(struct ktap *ktap, const char *port)
{
	struct termios tio;
	int fd;

	fd = open(port, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* Without raw mode the tty layer turns each \n into \r\n */
	if (!tcgetattr(fd, &tio)) {
		cfmakeraw(&tio);
		cfsetspeed(&tio, B115200);
		tcsetattr(fd, TCSANOW, &tio);
	}
	ktap->count = 0;
	ktap->out = fdopen(fd, "w");
	if (!ktap->out)
		return -1;
	setvbuf(ktap->out, NULL, _IOLBF, 4096);
	return 0;
}

void ktap_plan(struct ktap *ktap, unsigned int tests)
{
	fprintf(ktap->out, "KTAP version 1\n1..%u\n", tests);
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static bool is_ktap(const char *line)
{
	static const char *const starts[] = {
		"#", "ok ", "not ok ", "1..", "0..", "KTAP version ",
		"TAP version ", "Bail out!",
	};
	size_t i;

	line += strspn(line, " ");
	for (i = 0; i < ARRAY_SIZE(starts); i++)
		if (starts_with(line, starts[i]))
			return true;
	return false;
}

/* A command's own output: its KTAP as it is, anything else as a diagnostic */
void ktap_child_line(struct ktap *ktap, char *line)
{
	char *c;

	for (c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = *c == '\t' ? ' ' : '?';
	fprintf(ktap->out, CHILD_INDENT "%s%s\n", is_ktap(line) ? "" : "# ",
		line);
}

/* Diagnostics, one line of the text each; they precede the result they tell of */
void ktap_note(struct ktap *ktap, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		fprintf(ktap->out, "# %.*s\n", (int)len, text);
		text += len;
		text += *text == '\n';
	}
}

void ktap_result(struct ktap *ktap, const char *name, bool ok,
		 const char *skip_reason)
{
	fprintf(ktap->out, "%s %u - %s%s%s\n", ok ? "ok" : "not ok",
		++ktap->count, name, skip_reason ? " # SKIP " : "",
		skip_reason ? skip_reason : "");
}

/* The last line proves to the host that the run got to its end */
void ktap_close(struct ktap *ktap)
{
	fprintf(ktap->out, "# end of tests\n");
	fflush(ktap->out);
	tcdrain(fileno(ktap->out));
	fclose(ktap->out);
}
