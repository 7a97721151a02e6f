// SPDX-License-Identifier: GPL-2.0-only
/* What lines of a VMM and its guest mean */
#include <stdlib.h>
#include <string.h>

#include "level1.h"

static void console_line(struct vm *vm, char *line)
{
	static FILE *out;

	if (!out)
		out = fopen(CONSOLES, "we");
	if (out) {
		fprintf(out, "%s| %s\n", vm->name, line);
		fflush(out);
	}
	if (strstr(line, "Kernel panic - not syncing"))
		vm->panicked = true;
}

/* Results of the outer level are answers, anything else is to be shown */
static void report_line(struct vm *vm, char *line)
{
	const char *text = line + strspn(line, " #");

	sscanf(text, "requests %ld", &vm->requests);
	if (!strcmp(line, "# ready"))
		vm->boots++;
	else if (!strncmp(line, "ok ", 3))
		vm->answer = PASSED;
	else if (!strncmp(line, "not ok ", 7))
		vm->answer = FAILED;
	else if (strncmp(line, "# Subtest:", 10) &&
		 strncmp(line, "# seconds:", 10))
		note("%s: %s", vm->name, text);
}

/* What the monitor wants to hear first has a number, unlike our commands */
static void monitor_line(struct vm *vm, char *line)
{
	if (!strncmp(line, "{\"QMP\"", 6)) {
		port_say(&vm->ports[MONITOR],
			 "{\"execute\": \"qmp_capabilities\", \"id\": 1}\n");
	} else if (strstr(line, "\"id\": 1}")) {
		return;
	} else if (strstr(line, "\"event\": \"DEVICE_DELETED\"") &&
	    strstr(line, "\"device\": \"disk\"")) {
		vm->unplugged = true;
	} else if (!strncmp(line, "{\"return\"", 9)) {
		vm->number = strtoll(line + strcspn(line, "0123456789"), NULL,
				     10);
		vm->reply = PASSED;
	} else if (!strncmp(line, "{\"error\"", 8)) {
		note("%s: monitor: %s", vm->name, line);
		vm->reply = FAILED;
	}
}

static void error_line(struct vm *vm, char *line)
{
	note("%s: VMM: %s", vm->name, line);
}

const struct port ports[NR_PORTS] = {
	[CONSOLE] = { .name = "console", .line = console_line },
	[REPORT] = { .name = "report", .line = report_line },
	[MONITOR] = { .name = "monitor", .line = monitor_line },
	[ERRORS] = { .name = "errors", .line = error_line },
};
