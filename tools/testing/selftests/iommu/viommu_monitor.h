/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The knobs and counters of emulated hardware: a QMP monitor of the machine on
 * a serial port of it, where the IOMMU is the device with id=iommu. The
 * environment variable VIOMMU_MONITOR names the port. Functions return -1 where
 * it is not set, as on a real machine: what is connected to its serial ports is
 * nobody's business here.
 */
#ifndef __SELFTEST_IOMMU_VIOMMU_MONITOR
#define __SELFTEST_IOMMU_VIOMMU_MONITOR

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static inline int monitor_open(void)
{
	const char *port = getenv("VIOMMU_MONITOR");
	struct termios tio;
	int fd;

	if (!port)
		return -1;
	fd = open(port, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (tcgetattr(fd, &tio)) {
		close(fd);
		return -1;
	}
	cfmakeraw(&tio);
	cfsetspeed(&tio, B115200);
	tcsetattr(fd, TCSANOW, &tio);
	tcflush(fd, TCIOFLUSH);
	return fd;
}

/*
 * Read lines until one has @mark; false if there is none for five seconds. In
 * large pieces: what the terminal cannot hold is lost.
 */
static inline bool monitor_line(int fd, const char *mark, char *line,
				size_t room)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t used = 0;

	while (used < room - 1 && poll(&pfd, 1, 5000) > 0) {
		ssize_t len = read(fd, line + used, room - 1 - used);
		char *end;

		if (len <= 0)
			return false;
		used += len;
		line[used] = '\0';
		while ((end = strchr(line, '\n'))) {
			*end = '\0';
			if (strstr(line, mark))
				return true;
			used -= end + 1 - line;
			memmove(line, end + 1, used + 1);
		}
	}
	return false;
}

/*
 * One command; its answer in @line. The port has said something before anybody
 * opened it, and until the terminal is raw that goes back as an echo, which the
 * monitor takes for the start of a command: a character that no command has
 * ends it, with an error that is not looked at.
 */
static inline int monitor_try(const char *command, char *line, size_t room)
{
	static int id;
	char text[512], mark[32];
	int fd = monitor_open();
	int rc = -1;
	int len;

	if (fd < 0)
		return -1;
	snprintf(mark, sizeof(mark), "\"id\": %d", ++id);
	len = snprintf(text, sizeof(text),
		       "\1\n{\"execute\":\"qmp_capabilities\"}\n{%s,\"id\":%d}\n",
		       command, id);
	if (write(fd, text, len) == len &&
	    monitor_line(fd, mark, line, room) && strstr(line, "\"return\""))
		rc = 0;
	close(fd);
	return rc;
}

/* The line is shared with all that the machine has to say: it may get lost */
static inline int monitor_call(const char *command, char *line, size_t room)
{
	int i;

	for (i = 0; i < 3; i++)
		if (!monitor_try(command, line, room))
			return 0;
	return -1;
}

#define MONITOR_PATH "\"path\":\"/machine/peripheral/iommu\""

static inline int monitor_set(const char *name, const char *json)
{
	char command[256];
	static char line[65536];

	snprintf(command, sizeof(command),
		 "\"execute\":\"qom-set\",\"arguments\":{" MONITOR_PATH
		 ",\"property\":\"%s\",\"value\":%s}", name, json);
	return monitor_call(command, line, sizeof(line));
}

static inline int monitor_get(const char *name, char *line, size_t room)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "\"execute\":\"qom-get\",\"arguments\":{" MONITOR_PATH
		 ",\"property\":\"%s\"}", name);
	return monitor_call(command, line, room);
}

/* The value of a property that is a number */
static inline long long monitor_number(const char *property)
{
	static char line[4096];
	char *at;

	if (monitor_get(property, line, sizeof(line)))
		return -1;
	at = strstr(line, "\"return\": ");
	return at ? strtoll(at + strlen("\"return\": "), NULL, 10) : -1;
}

/* A member of entry @n of a list, or of the one object with @n 0; -1: none */
static inline long long monitor_member(const char *property, unsigned int n,
				       const char *member)
{
	static char line[65536];
	char mark[64];
	char *at = line;

	if (monitor_get(property, line, sizeof(line)))
		return -1;
	at = strstr(line, "\"return\"");
	for (n++; at && n; n--)
		at = strchr(at + 1, '{');
	if (!at)
		return -1;
	snprintf(mark, sizeof(mark), "\"%s\": ", member);
	at = strstr(at, mark);
	return at ? strtoll(at + strlen(mark), NULL, 10) : -1;
}

/*
 * What the member @member is in the entry of a list in which @key is @value;
 * with no @key it is in the one object. -1: none
 */
static inline long long monitor_entry(const char *property, const char *key,
				      long long value, const char *member)
{
	static char line[262144];
	char key_mark[64], mark[64], *at, *end, *found;

	if (monitor_get(property, line, sizeof(line)))
		return -1;
	snprintf(key_mark, sizeof(key_mark), "\"%s\": ", key ?: "");
	snprintf(mark, sizeof(mark), "\"%s\": ", member);
	at = strstr(line, "\"return\"");
	while (at && (at = strchr(at, '{')) && (end = strchr(at, '}'))) {
		*end = '\0';
		found = key ? strstr(at, key_mark) : at;
		if (found && (!key || strtoll(found + strlen(key_mark), NULL,
					      10) == value)) {
			found = strstr(at, mark);
			return found ? strtoll(found + strlen(mark), NULL,
					       10) : -1;
		}
		at = end + 1;
	}
	return -1;
}

/* @num quadwords at a physical address of the machine, registers included */
static inline int monitor_peek(unsigned long long addr, unsigned int num,
			       unsigned long long *quads)
{
	static char line[4096];
	char command[256], *at = line;

	snprintf(command, sizeof(command),
		 "\"execute\":\"human-monitor-command\",\"arguments\":{"
		 "\"command-line\":\"xp /%uxg 0x%llx\"}", num, addr);
	if (monitor_call(command, line, sizeof(line)))
		return -1;
	for (; num; num--) {
		at = strstr(at, " 0x");
		if (!at)
			return -1;
		*quads++ = strtoull(at + 1, &at, 16);
	}
	return 0;
}

#endif
