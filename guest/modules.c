// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads the kernel's modules without kmod: the list has one path a line, each
 * after those that it needs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

/* "a-b.ko" is called a_b on the kernel command line */
static void module_name(const char *path, char *name, size_t room)
{
	const char *base = strrchr(path, '/');
	char *c;

	snprintf(name, room, "%s", base ? base + 1 : path);
	name[strcspn(name, ".")] = '\0';
	for (c = name; *c; c++)
		if (*c == '-')
			*c = '_';
}

/*
 * The kernel hands "module.parameter=value" words to built-in code only; for a
 * real module user space has to pick them out of the command line.
 */
static void module_options(const char *path, const char *cmdline, char *options,
			   size_t room)
{
	char name[64];
	char *words = strdup(cmdline), *save, *word;
	size_t len, used = 0;

	module_name(path, name, sizeof(name));
	len = strlen(name);
	*options = '\0';
	for (word = words ? strtok_r(words, " \n", &save) : NULL; word;
	     word = strtok_r(NULL, " \n", &save)) {
		if (strncmp(word, name, len) || word[len] != '.')
			continue;
		used += snprintf(options + used, room - used, "%s ",
				 word + len + 1);
		if (used >= room)
			break;
	}
	free(words);
}

static void load_module(const char *path, const char *cmdline)
{
	char options[256];
	int fd;

	module_options(path, cmdline, options, sizeof(options));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, options, 0))
		printf("init: cannot load %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void load_modules(const char *list, const char *cmdline)
{
	char *text = read_file(list), *save, *path;

	for (path = text ? strtok_r(text, "\n", &save) : NULL; path;
	     path = strtok_r(NULL, "\n", &save))
		load_module(path, cmdline);
	free(text);
}
