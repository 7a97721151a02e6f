// SPDX-License-Identifier: GPL-2.0-only
/* Whole small files in one call each: procfs, sysfs and debugfs have no size */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

/* The text of a file, to be freed, or NULL with errno set */
char *read_file(const char *path)
{
	size_t size = 0, room = 4096;
	char *text = malloc(room);
	ssize_t got;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !text)
		goto fail;

	while ((got = read(fd, text + size, room - size - 1)) > 0) {
		size += got;
		if (room - size > 1)
			continue;
		room *= 2;
		text = realloc(text, room);
		if (!text)
			goto fail;
	}
	close(fd);
	text[size] = '\0';
	return text;

fail:
	if (fd >= 0)
		close(fd);
	free(text);
	return NULL;
}

/* 0 or -errno: a control file takes the whole text in one write or refuses */
int write_file(const char *path, const char *text)
{
	size_t size = strlen(text);
	int ret = 0;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, size) != (ssize_t)size)
		ret = -errno;
	close(fd);
	return ret;
}
