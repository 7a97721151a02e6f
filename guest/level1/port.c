// SPDX-License-Identifier: GPL-2.0-only
/*
 * A channel to a VMM: two pipes with names, which is what QEMU calls a chardev
 * of the kind "pipe". The kernel of the tests has no sockets.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "level1.h"

/* One of the two, open at both ends: so neither side waits for the other */
static int make_pipe(const char *dir, const char *name, const char *end)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s.%s", dir, name, end);
	if (mkfifo(path, 0600) && errno != EEXIST)
		return -1;
	return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

bool port_make(struct port *port, const char *dir)
{
	port->used = 0;
	port->in = make_pipe(dir, port->name, "in");
	port->out = make_pipe(dir, port->name, "out");
	return port->in >= 0 && port->out >= 0;
}

/* A line is short and the pipe is not: it fits or something is wrong */
bool port_say(struct port *port, const char *text)
{
	ssize_t size = strlen(text);

	return write(port->in, text, size) == size;
}

static void take_char(struct vm *vm, struct port *port, char c)
{
	bool full = port->used == sizeof(port->text) - 1;

	if (c == '\n' || full) {
		port->text[port->used] = '\0';
		port->used = 0;
		port->line(vm, port->text);
	}
	if (c != '\n' && c != '\r' && c)
		port->text[port->used++] = c;
}

/* Hands on the lines that are there; false if there was nothing to read */
bool port_take(struct vm *vm, struct port *port)
{
	char chunk[4096];
	ssize_t got = read(port->out, chunk, sizeof(chunk)), i;

	for (i = 0; i < got; i++)
		take_char(vm, port, chunk[i]);
	return got > 0;
}

void port_close(struct port *port)
{
	close(port->in);
	close(port->out);
	port->in = -1;
	port->out = -1;
}
